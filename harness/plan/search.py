"""How a search phase chooses its levels, and when a step has shown whether the target holds its level.

The levels double until one breaks, then the bracket is halved on a logarithmic scale until its ends are close together
(bracketing and bisection, as for the root of a monotone function: Press et al. 2007, Numerical Recipes, section 9.1).

A step ends as soon as it is clear: six consecutive parts of equal length all hold, or all break. If a level were
exactly at the limit, so that either is a toss-up, six parts would all hold once in 64 times (the sign test over batch
means: Fishman 1978, Management Science 24(5)). It needs no distribution, and works for any condition. Near the capacity
no step is clear: there the longest step's figures decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from harness.plan.model.phase import Phase, SearchRange, Segment
from harness.plan.requirement import Condition
from harness.plan.until import StepTotals
from harness.record.endpoint_second import EndpointSecond
from harness.record.journal_entries import PhaseSpan

PRECISION = 0.05
"""How close the ends of the bracket come: the level that broke is at most 5 % above the one that held."""
LONGEST = 4
"""How many times as long as the shortest step the longest is."""
PARTS = 6
SETTLE_S = 2.0
"""How long a level runs before it counts: users start, connections open, queues fill or empty."""


class Search:
    """The level to try next, and the bracket so far. ``whole``: levels are numbers of users."""

    def __init__(self, levels: SearchRange, *, whole: bool) -> None:
        self._to, self._whole = levels.to, whole
        self.held: float | None = None
        """The highest level that held."""
        self.broke: float | None = None
        """The lowest level that broke."""
        self.level: float | None = levels.start
        """The next to try; None once the search is over."""

    def judged(self, *, broke: bool) -> None:
        """The step of :attr:`level` has ended."""
        if broke:
            self.broke = self.level
        else:
            self.held = self.level
        self.level = self._next()

    def _next(self) -> float | None:
        held, broke = self.held, self.broke
        if held is None:  # the first level broke at once
            return None
        if broke is None:
            return min(2 * held, self._to) if held < self._to else None
        if broke <= held * (1 + PRECISION) or (self._whole and broke - held <= 1):
            return None
        middle = math.sqrt(held * broke)
        return float(min(max(round(middle), held + 1), broke - 1)) if self._whole else round(middle, 3)


def as_ran(phase: Phase, span: PhaseSpan, end_s: float) -> Phase:
    """``phase`` with the segments that its search chose until ``end_s``; any other phase as it was planned."""
    if not span.chosen:
        return phase
    ends = [*span.segments[1:], max(end_s, span.segments[-1])]
    cut_short = span.reason in (None, "cut short")
    segments = [
        Segment(start=chosen.level, end=chosen.level, duration_s=end - begin, counts=chosen.counts)
        for chosen, begin, end in zip(span.chosen, span.segments, ends, strict=False)
    ]
    if cut_short:  # its last step was not judged
        segments[-1] = segments[-1].model_copy(update={"counts": False})
    return phase.model_copy(update={"segments": tuple(segments)})


def broke(until: Condition, shortest_s: float, seconds: Sequence[Sequence[EndpointSecond]]) -> bool | None:
    """Whether a step broke, by the requests of each of its ``seconds``; None if it has to go on."""
    n = len(seconds)
    if n >= LONGEST * shortest_s:
        # If the target does not respond, there are too few requests to judge, and the level is not held.
        return _breaks(until, seconds) is not False
    return None if n < shortest_s else clearly_broke(until, seconds)


def clearly_broke(until: Condition, seconds: Sequence[Sequence[EndpointSecond]]) -> bool | None:
    """Whether a step broke, if its parts agree; None if they do not."""
    n = len(seconds)
    if n < PARTS:
        return None
    if all(part is False for part in _parts(until, seconds)):
        return False
    # A queue takes time to grow, so an overload shows in the later half.
    return True if all(_parts(until, seconds[-max(PARTS, n // 2) :])) else None


def _parts(until: Condition, seconds: Sequence[Sequence[EndpointSecond]]) -> list[bool | None]:
    ends = [round(part * len(seconds) / PARTS) for part in range(PARTS + 1)]
    return [_breaks(until, seconds[begin:end]) for begin, end in pairwise(ends)]


def _breaks(until: Condition, seconds: Sequence[Sequence[EndpointSecond]]) -> bool | None:
    """Whether ``until`` is true of these seconds; None if they have too few requests to tell."""
    totals = StepTotals()
    for row in (row for second in seconds for row in second):
        totals.add(row)
    return totals.breaks(until, len(seconds)) is not None if totals.has_enough else None
