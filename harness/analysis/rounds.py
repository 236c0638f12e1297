"""95 % intervals for what the rounds of one benchmark showed, which are not independent of each other.

As for requests (:mod:`harness.analysis.intervals`, whose methods these are): what slows one round (a neighbour, the
clock of the core, a collection) slows those after it too, so the spread is taken between blocks of consecutive rounds,
by the moving-block bootstrap's variance in closed form (Künsch 1989), with Student's t for few blocks.

- *mean*, and *ops*, which is its inverse: that variance of the sum.
- *median and percentiles*: the times up to which the share of rounds may be the percentile's (test inversion,
  Woodruff 1952), the share's interval that of Clopper & Pearson for the effective number of rounds.
- *stddev*: the delta method on the mean of squares about the mean.
- *min, max, rounds* are what they are. So is what memray counted.

Where others took the core (``Benchmark.taken``), times say more of them than of the function. Of all rounds' time no
more was waiting than the kernel counted, so the mean may be less by that share. How single rounds shared it is not
known: percentiles and extremes may be any less, down to what the least round shows, less that share too, for a
neighbour also slows a round that never waits (the core's other thread, caches; here the least round took 1.5 times as
long while others had the core for 70 %). Intervals reach down to there, so that a neighbour does not fail a gate.

The spread within one process is not all there is: two processes of one build differ by more (layout of memory, hash
seeds). :mod:`harness.gates.against_baseline` reckons with that wherever two runs are compared.
"""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np

from harness.analysis.intervals import block_variance, share_bounds, student
from harness.plan.bench import BenchMetric
from harness.record.baseline import Interval
from harness.record.suite import Benchmark, MemoryFigures, Rounds

QUANTILES: dict[BenchMetric, float] = {
    "median": 0.50,
    "p50": 0.50,
    "p75": 0.75,
    "p90": 0.90,
    "p95": 0.95,
    "p99": 0.99,
    "p99.9": 0.999,
}


DISTURBED = 0.01
"""The share of a benchmark's time that others may take before it counts."""


def interval_of(benchmark: Benchmark, metric: BenchMetric, memory: MemoryFigures | None) -> Interval | None:
    """A metric's figure and its 95 % interval, in the metric's unit; None where memory was not looked at.

    ``high`` is None where the rounds are too few to bound it from above: of a single round nothing is bounded.
    """
    found = _interval_of(benchmark.rounds, metric, memory)
    if found is None or benchmark.taken <= DISTURBED:
        return found
    left = 1 - benchmark.taken
    least = float(benchmark.rounds.min()) * left
    match metric:
        case "rounds" | "peak" | "allocations":
            return found
        case "ops":
            high = None if found.high is None or left <= 0 else found.high / left
            return found.model_copy(update={"high": high})
        case "mean":
            return found.model_copy(update={"low": found.low * left})
        case "stddev":
            return found.model_copy(update={"low": 0.0})
        case _:
            return found.model_copy(update={"low": min(found.low, least)})


def _interval_of(rounds: Rounds, metric: BenchMetric, memory: MemoryFigures | None) -> Interval | None:
    match metric:
        case "peak":
            return None if memory is None else _exact(memory.peak_bytes)
        case "allocations":
            return None if memory is None else _exact(memory.allocations)
        case "rounds":
            return _exact(len(rounds))
        case "min":
            return _exact(float(rounds.min()))
        case "max":
            return _exact(float(rounds.max()))
        case "mean":
            return _mean(rounds)
        case "ops":
            return _inverse(_mean(rounds))
        case "stddev":
            return _deviation(rounds)
        case _:
            return _quantile(rounds, QUANTILES[metric])


def _exact(value: float) -> Interval:
    return Interval(value=value, low=value, high=value)


def _mean(rounds: Rounds) -> Interval:
    mean = float(rounds.mean())
    return _around(mean, (rounds - mean) / len(rounds))


def _deviation(rounds: Rounds) -> Interval:
    if len(rounds) < 2:
        return Interval(value=0.0, low=0.0, high=None)
    squares = np.square(rounds - rounds.mean())
    deviation = math.sqrt(float(squares.sum()) / (len(rounds) - 1))
    if deviation == 0:
        return _exact(0.0)
    return _around(deviation, (squares - squares.mean()) / len(rounds) / (2 * deviation))


def _around(value: float, deviations: Rounds) -> Interval:
    if len(deviations) < 2:
        return Interval(value=value, low=0.0, high=None)
    variance, degrees = block_variance(deviations)
    # Never narrower than that of independent rounds.
    n = len(deviations)
    half = student(degrees) * math.sqrt(max(variance, float(np.square(deviations).sum()) * n / (n - 1)))
    return Interval(value=value, low=max(0.0, value - half), high=value + half)


def _inverse(seconds: Interval) -> Interval:
    """Calls a second; without an upper end where the mean may be 0."""
    if seconds.value <= 0:
        return Interval(value=0.0, low=0.0, high=None)
    low = 0.0 if seconds.high is None else 1 / seconds.high
    return Interval(value=1 / seconds.value, low=low, high=1 / seconds.low if seconds.low > 0 else None)


def _quantile(rounds: Rounds, q: float) -> Interval:
    ordered = np.sort(rounds)
    n = len(ordered)
    value = float(ordered[max(0, math.ceil(q * n - 1e-9) - 1)])
    if n < 2:
        return Interval(value=value, low=0.0, high=None)
    times = np.unique(ordered)
    here = int(np.searchsorted(times, value))

    def bounds(at: int) -> tuple[float, float]:
        return share_bounds((rounds <= times[at]).astype(np.float64), np.ones(n))

    # The share of rounds up to a time only grows with it, so each end is found by halving.
    below = bisect_left(range(here), q, key=lambda at: bounds(at)[1])
    above = bisect_left(range(len(times)), q, lo=here, key=lambda at: bounds(at)[0])
    return Interval(
        value=value,
        low=0.0 if share_bounds(np.zeros(n), np.ones(n))[1] >= q else float(times[below]),
        high=float(times[above]) if above < len(times) else None,
    )
