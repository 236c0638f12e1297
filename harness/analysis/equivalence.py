"""Whether one build is worse than another: equivalence tests against a margin.

A margin states how much worse a figure may get before it matters. Together with the 95 % interval of the change it
gives one of four outcomes (the cases of Piaggio et al. 2012, JAMA 308(24), figure 1; each bound is a one-sided test at
2.5 %, two of which make Schuirmann's test: 1987, J. Pharmacokinetics and Biopharmaceutics 15(6)):

- *better*: the whole interval lies on the good side of no change.
- *not worse*: its bad end does not exceed the margin. A change that is certain but certainly smaller than what matters
  is not worse.
- *worse*: all of it lies on the bad side of no change, and its bad end exceeds the margin. It need not lie beyond the
  margin: then no amount of data would ever settle a change as large as the margin itself. As it is, an interval of half
  the margin to either side settles every figure.
- *inconclusive*: anything else.

Of a hundred figures of one build, some intervals miss no change by chance. *Better* and *worse* therefore need a
p-value that counts among those of the figures that decide, or of all others, at 1.25 % each a direction
(:mod:`harness.analysis.false_discoveries`). If nothing has changed, that bounds the chance of *any* false alarm. *Not
worse* needs no such correction: a verdict needs all figures to be so (Berger 1982, Technometrics 24(4)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import stdtr

from harness.analysis.false_discoveries import highest_that_counts
from harness.analysis.intervals import Bounds, student
from harness.record.comparison import Outcome

ALPHA = 0.025
"""Of each one-sided test."""


def chances(change: float, interval: Bounds, degrees: float, *, relative: bool) -> tuple[float, float]:
    """The one-sided p-values of "it has not grown" and "it has not shrunk", from the 95 % interval of a ``change``.

    Either half of the interval, on the scale on which it is symmetric, is Student's t with so many degrees of freedom
    times the standard error (Altman & Bland 2011, BMJ 343:d2304).
    """
    middle, low, high = (scaled(value, relative=relative) for value in (change, *interval))
    return _tail(middle, middle - low, degrees), _tail(-middle, high - middle, degrees)


def scaled(value: float | None, *, relative: bool) -> float:
    """A change on the scale on which its interval is symmetric: the logarithm if ``relative``, else as it is."""
    if value is None:
        return math.inf
    if not relative:
        return value
    return math.log1p(value) if value > -1 else -math.inf


def _tail(distance: float, reach: float, degrees: float) -> float:
    if reach <= 0:  # exact
        return 0.0 if distance > 0 else 1.0
    return float(stdtr(degrees, -distance / reach * student(degrees))) if math.isfinite(distance) else 1.0


def stand_together(chances: Sequence[float], decides: Sequence[bool]) -> list[bool]:
    """Which of several p-values are small enough for what they claim to be believed together.

    Figures that decide share half of :data:`ALPHA` among themselves, since few figures need less proof than hundreds.
    """
    families: dict[bool, list[float]] = {}
    for chance, does in zip(chances, decides, strict=True):
        families.setdefault(does, []).append(chance)
    highest = {does: highest_that_counts(family, ALPHA / len(families)) for does, family in families.items()}
    return [chance <= highest[does] for chance, does in zip(chances, decides, strict=True)]


def outcome_of(worsening: Bounds, margin: float, *, is_worse: bool, is_better: bool) -> Outcome:
    """What the interval of a worsening (greater is worse) means for ``margin``.

    ``is_worse`` and ``is_better`` state whether that direction stands beside all other figures.
    """
    low, high = worsening
    if high is not None and high <= margin:
        return "better" if high < 0 and is_better else "not worse"
    return "worse" if low > 0 and is_worse else "inconclusive"
