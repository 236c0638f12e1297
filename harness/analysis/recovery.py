"""How long a target took to recover: from a fault's end until a condition holds for :data:`HOLD_S`.

The condition is one on percentiles and error rates, so each of its parts is a share: of the requests that failed, or
that took longer than a percentile's limit. What counts is the share over windows of :data:`HOLD_S` whole seconds after
the fault. The recovery time is that until the first window in which the condition holds begins.

Its interval comes from 95 % intervals of these shares (Wilson 1927):

- The lower end is the first window that may hold: those before it break the condition for certain. Requests are counted
  by the second, so the target may have recovered up to a second earlier.
- The upper end is the first window from then on that holds for certain. Where a window has too few requests to tell, it
  may be as long as :data:`LONGEST_S`. There is no upper end if no window is certain.

Requests count as independent of each other: within a few seconds, nobody can tell how they are not. The intervals
of a fault's seconds themselves, and all others, do not assume that (:mod:`harness.analysis.intervals`).

A window whose first second is without a request does not hold: the target stood still. Requests that began before the
end of the fault and ended after it count where they ended, as the users waited for them.

If nobody states a condition, the target has recovered once it is as it was in the seconds before the fault: no more
requests fail than in the worst window of those, by :data:`MORE_FAILURES` at the most, and the P95 is no longer than
:data:`LONGER` times that of the slowest one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.intervals import wilson
from harness.metrics.aggregate import Aggregate
from harness.metrics.statistics import Proportion, Quantile
from harness.plan.requirement import Comparison, Condition, joined
from harness.record.measurement import Interval

HOLD_S = 3
LONGEST_S = 60
MORE_FAILURES = 2.0
"""Percentage points."""
LONGER = 1.5


@dataclass(frozen=True, slots=True)
class Recovery:
    """Whether a target recovered, and how long that took, in seconds from the end of the fault.

    If it did not, ``took`` says how long it was seen not to have.
    """

    condition: Condition
    took: Interval
    recovered: bool


def recovery(condition: Condition, seconds: Sequence[Aggregate], first: int, end_s: float) -> Recovery:
    """How a target recovered by its requests in the ``seconds`` from the run's second ``first`` on.

    The fault ended at ``end_s``, in seconds of the run.
    """
    windows = _Windows(condition, seconds)
    begins = range(len(seconds) - HOLD_S + 1)
    may_hold = next((begin for begin in begins if windows.surely(begin, begin + HOLD_S) is not False), len(begins))
    holds = next((begin for begin in begins if windows.holds(begin, begin + HOLD_S)), None)

    def after_s(begin: int) -> float:
        return max(0.0, first + begin - end_s)

    low = after_s(may_hold - 1) if may_hold else 0.0
    if holds is None:
        seen_s = after_s(len(begins))
        return Recovery(condition, Interval(value=seen_s, low=min(low, seen_s), high=None), recovered=False)
    sure = next((begin for begin in begins[holds:] if windows.holds_surely_from(begin)), None)
    high = None if sure is None else after_s(sure)
    return Recovery(condition, Interval(value=after_s(holds), low=low, high=high), recovered=True)


def as_before(before: Sequence[Aggregate]) -> Condition | None:
    """What a target as it was in the seconds ``before`` a fault meets; None where they have too few requests."""
    windows = [Aggregate.of(before[at : at + HOLD_S], HOLD_S) for at in range(len(before) - HOLD_S + 1)]
    slowest_ms = max((window.quantile(0.95) or 0.0 for window in windows), default=0.0)
    failing = max((100 * window.failures / window.requests for window in windows if window.requests), default=0.0)
    if not slowest_ms:
        return None
    parts = (_at_most("error_rate", failing + MORE_FAILURES, "%"), _at_most("p95", LONGER * slowest_ms, "ms"))
    return Condition(any_of=(parts,), source=" and ".join(part.source for part in parts))


def _at_most(metric: str, value: float, unit: str) -> Comparison:
    value = min(float(f"{value:.3g}"), 100.0 if unit == "%" else math.inf)
    return Comparison(metric=metric, comparator="<=", value=value, unit=unit, source=f"{metric} <= {value:g}{unit}")


class _Windows:
    """A condition over windows of seconds, from ``begin`` up to ``end``."""

    def __init__(self, condition: Condition, seconds: Sequence[Aggregate]) -> None:
        self._any_of = [[_Share(comparison, seconds) for comparison in group] for group in condition.any_of]
        self._n = len(seconds)

    def holds(self, begin: int, end: int) -> bool:
        return any(all(share.holds(begin, end) for share in group) for group in self._any_of)

    def surely(self, begin: int, end: int) -> bool | None:
        """Whether it holds for certain; False: it does not for certain; None: neither."""
        return joined([share.surely(begin, end) for share in group] for group in self._any_of)

    def holds_surely_from(self, begin: int) -> bool:
        ends = range(begin + HOLD_S, min(begin + LONGEST_S, self._n) + 1)
        return any(self.surely(begin, end) is True for end in ends)


class _Share:
    """A comparison as the share of requests that may be ``beyond`` it."""

    def __init__(self, comparison: Comparison, seconds: Sequence[Aggregate]) -> None:
        match comparison.measures.statistic:
            case Quantile(q):
                limit_us = math.ceil(1000 * comparison.value)
                self._allowed = 1 - q
                counts = [(second.response.count_above(limit_us), second.response.count) for second in seconds]
            case Proportion(count):
                self._allowed = comparison.value / 100
                counts = [(int(count(second)), second.requests) for second in seconds]
            case other:
                raise TypeError(f"no share for {other}")
        self._beyond, self._counted = np.cumsum([(0, 0), *counts], axis=0).T.tolist()

    def holds(self, begin: int, end: int) -> bool:
        beyond, counted = self._in(begin, end)
        return not self._is_silent(begin) and beyond <= self._allowed * counted

    def surely(self, begin: int, end: int) -> bool | None:
        beyond, counted = self._in(begin, end)
        if self._is_silent(begin):
            return False
        if not self._allowed:  # "none at all" is a rule, not an estimate
            return not beyond
        low, high = wilson(beyond / counted, counted)
        return True if high <= self._allowed else False if low > self._allowed else None

    def _is_silent(self, second: int) -> bool:
        return not self._in(second, second + 1)[1]

    def _in(self, begin: int, end: int) -> tuple[int, int]:
        return self._beyond[end] - self._beyond[begin], self._counted[end] - self._counted[begin]
