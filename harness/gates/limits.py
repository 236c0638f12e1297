"""A gate's limit, and on which side of it an interval lies."""

from __future__ import annotations

import math

from harness.metrics.comparators import Comparator, holds, is_upper
from harness.plan.bench import BenchGate
from harness.plan.requirement import Comparison
from harness.record.measurement import Interval
from harness.record.summary import GateStatus


def limit_of(comparison: Comparison | BenchGate, baseline: float | None) -> float:
    """The limit in the metric's unit; ``baseline`` is its figure where the comparison is with one.

    ``baseline + 1%`` is a hundredth of the baseline's figure more, but one percentage point more of an error rate: a
    share of a rate that is 0 would allow nothing.
    """
    if baseline is None:
        return comparison.value
    if comparison.percent:
        return baseline * (1 + comparison.value / 100)
    return baseline + comparison.value


def side_of(comparator: Comparator, observed: Interval, limit: float) -> GateStatus:
    """``pass``: all of the interval is on the good side of the limit; ``fail``: all of it is on the bad side."""
    low, high = observed.low, math.inf if observed.high is None else observed.high
    worst, best = (high, low) if is_upper(comparator) else (low, high)
    if holds(worst, comparator, limit):
        return "pass"
    return "inconclusive" if holds(best, comparator, limit) else "fail"
