"""A benchmark's figure against the baseline's: as figures of runs are compared, but for what was counted exactly."""

from __future__ import annotations

from collections.abc import Sequence

from harness.gates.against_baseline import against
from harness.plan.bench import BenchMetric
from harness.record.baseline import Interval

COUNTED: tuple[BenchMetric, ...] = ("rounds", "peak", "allocations")
"""No clock is read for these: two runs of one build differ by nothing that would have to be reckoned with."""


def compared(seen: Interval, baselines: Sequence[Interval], metric: BenchMetric) -> tuple[float, Interval]:
    """The baseline's figure (of one run or more), and the observed one with an interval that holds both sides' noise.

    See :func:`harness.gates.against_baseline.against`.
    """
    if metric in COUNTED:
        return sum(run.value for run in baselines) / len(baselines), seen
    return against(seen, baselines, metric)


def relative(seen: Interval, baseline: float) -> tuple[float | None, tuple[float, float | None] | None]:
    """The change (0.05: 5 % more) and its interval, from what :func:`compared` gave; None where there is nothing to
    be relative to.
    """
    if baseline <= 0:
        return None, None
    high = None if seen.high is None else seen.high / baseline - 1
    return seen.value / baseline - 1, (seen.low / baseline - 1, high)
