"""Compares several runs together with several others, to find what no single run shows.

The nights since the last clear one are pooled: their mean against that of the runs before them, by Student's t. How
much runs of one build differ is estimated within each of the two sets (else a real change would count as noise), and
never less than the floor of :mod:`harness.analysis.run_sets`.

The test is repeated each night while the row grows, which the level of each look takes into account: that of Pocock
(1977, Biometrika 64) for ten looks that together err with 2.5 % on one side. So whenever a row of inconclusive nights
begins, it ends in a ``fail`` for a change no larger than the limit allows with a probability of at most 2.5 %. That
holds although only undecided nights are pooled: a row of them is one of the rows of all nights, and for those the level
is kept. A row of more than eleven nights goes on with the last eleven, each look at the same level.

Nights that failed are in neither set, and a row goes on across them. Each of them has said by itself that it is worse.
What follows is often the repair, which would fail by their figures; and one failure by chance would be repeated night
after night. The undecided nights of a worse build are those in which it looked least bad, so their mean is nearer to
the limit than the build is: that costs some power, and never makes a night fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.special import ndtri

from harness.analysis.intervals import Z
from harness.analysis.run_sets import FLOOR, RunSet, apart, between, is_linear, within
from harness.metrics.metric import Metric
from harness.record.measurement import Interval

LEVEL = 0.0053
"""Of one look, on one side."""
MOST_NIGHTS = 11
"""The most runs that are pooled: :data:`LEVEL` is for ten tests, the first of them with two nights."""


def pooled_against(
    nights: Sequence[Interval], before: Sequence[Interval], metric: Metric[Any], calibrated: float | None = None
) -> tuple[float, Interval]:
    """The figure of the runs ``before``, and that of ``nights`` with an interval that holds the noise of both.

    A figure is the (geometric) mean of its runs'; each end of the interval errs with :data:`LEVEL`. Takes three runs.
    ``calibrated`` is the standard deviation between runs that this machine was measured to have; it counts where it is
    larger than what these runs show.
    """
    linear = is_linear(metric, (*nights, *before))
    own, reference = (RunSet.of(runs, is_linear=linear) for runs in (nights, before))
    z = -float(ndtri(LEVEL))
    floor = 0.0 if linear else z * max(FLOOR, calibrated or 0.0) * apart(own, reference)
    least = max(between(own, reference, prior=0.0, tail=LEVEL), floor)
    down, up = (max(z / Z * reach, least) for reach in within(own, reference))
    return reference.figure, own.interval(down, up, is_signed=metric.unit.is_signed)
