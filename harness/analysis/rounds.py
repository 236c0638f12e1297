"""95 % intervals for the rounds of one benchmark, which are not independent of each other.

Whatever slows one round (a neighbour, the clock of the core, a collection) slows the following rounds, too. So, as for
requests (:mod:`harness.analysis.intervals`), the spread is taken between blocks of consecutive rounds: the variance of
the moving-block bootstrap in closed form (Künsch 1989), with Student's t for few blocks.

- *mean*, and *ops*, its inverse: the variance of the sum.
- *median and percentiles*: the times up to which the share of rounds may be the percentile's (test inversion,
  Woodruff 1952). The share's interval is that of Clopper & Pearson for the effective number of rounds.
- *stddev*: the delta method on the mean squared deviation.
- *min, max, rounds* and the figures of memray are exact.

If others had the core (``Benchmark.taken``), the times are too long. The rounds waited no longer than the kernel
counted, so the mean may be lower by that share. How the rounds shared the waiting is unknown: percentiles and extremes
may be as low as the fastest round, less that share, for a neighbour also slows rounds that never wait (the core's other
thread, caches: the fastest round took 1.5 times as long while others had the core for 70 % of the time). Intervals are
widened down to there, so that a neighbour does not fail a gate.

Two processes of one build differ more than the rounds of one process (memory layout, hash seeds).
:mod:`harness.analysis.run_sets` allows for that when runs are compared.
"""

from __future__ import annotations

import math

import numpy as np

from harness.analysis.intervals import FEWEST, Bounds, around, block_variance, quantile_bounds
from harness.metrics.benchmarks import Deviation, Inverse, Minimum
from harness.metrics.metric import Metric
from harness.metrics.rounds import RoundTimes
from harness.metrics.statistics import Exact, Maximum, Mean, Quantile
from harness.record.measurement import Interval
from harness.record.suite import Benchmark, MemoryFigures, Rounds

DISTURBED = 0.01
"""The share of a benchmark's time that others may take before it counts."""


def interval_of(benchmark: Benchmark, metric: Metric[RoundTimes], memory: MemoryFigures | None) -> Interval | None:
    """A metric's figure and its 95 % interval, in the metric's unit; None if memory was not traced.

    ``high`` is None if the rounds are too few to bound it from above, as a single round always is.
    """
    data = RoundTimes(benchmark.rounds, memory)
    value = metric.value(data)
    if value is None:
        return None
    low, high = _bounds(metric.statistic, value, data)
    if benchmark.taken > DISTURBED:
        low, high = _widened(metric.statistic, low, high, data, left=1 - benchmark.taken)
    return Interval(value=value, low=low, high=high)


def _bounds(statistic: object, value: float, data: RoundTimes) -> Bounds:
    """The 95 % interval of ``value``, which ``statistic`` gave for ``data``."""
    match statistic:
        case Exact() | Minimum() | Maximum():
            return value, value
        case Mean():
            return _mean(data)
        case Inverse():
            return _inverse(*_mean(data))
        case Deviation():
            return _deviation(value, data)
        case Quantile(q):
            return _quantile(value, q, data)
    raise TypeError(f"no interval for {statistic}")


def _widened(statistic: object, low: float, high: float | None, data: RoundTimes, *, left: float) -> Bounds:
    """The interval if others had the core: only the share ``left`` of its time was certainly its own."""
    match statistic:
        case Exact():
            return low, high
        case Inverse():
            return low, None if high is None or left <= 0 else high / left
        case Mean():
            return low * left, high
        case Deviation():
            return 0.0, high
    return min(low, data.minimum() * left), high


def _mean(data: RoundTimes) -> Bounds:
    mean, rounds = data.mean(), data.times
    return _around(mean, (rounds - mean) / len(rounds))


def _deviation(deviation: float, data: RoundTimes) -> Bounds:
    rounds = data.times
    if deviation == 0:
        return 0.0, 0.0 if len(rounds) >= FEWEST else None
    squares = np.square(rounds - rounds.mean())
    return _around(deviation, (squares - squares.mean()) / len(rounds) / (2 * deviation))


def _around(value: float, deviations: Rounds) -> Bounds:
    n = len(deviations)
    if n < FEWEST:
        return 0.0, None
    variance, degrees = block_variance(deviations)
    # Never narrower than for independent rounds.
    return around(value, math.sqrt(max(variance, float(np.square(deviations).sum()) * n / (n - 1))), degrees)


def _inverse(low: float, high: float | None) -> Bounds:
    """The interval of calls a second, from that of the mean; without an upper end if the mean may be 0."""
    return 0.0 if not high else 1 / high, 1 / low if low > 0 else None


def _quantile(value: float, q: float, data: RoundTimes) -> Bounds:
    rounds, times = data.times, np.unique(data.times)
    here = int(np.searchsorted(times, value))
    return quantile_bounds(q, times, here, lambda at: (rounds <= times[at]).astype(np.float64), np.ones(len(rounds)))
