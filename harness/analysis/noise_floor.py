"""How much a figure varies from run to run of one build (A/A), and what a gate can see through that.

The variance of a figure between runs is that within a run (by its interval) plus that between runs, which is what is
left of the runs' own scatter: the estimate by moments of a random-effects model (DerSimonian & Laird 1986). The change
that is found with 95 % power is that of a two-sample t-test with the scatter as its noise: (t₀.₉₇₅ + t₀.₉₅) standard
errors, with the degrees of freedom of the calibration. If a figure varied less than gates assume of any
(:data:`harness.analysis.run_sets.FLOOR`), the interval of the gate is that of the assumption.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from harness.analysis.equal_speed import at_equal_speed
from harness.analysis.intervals import Z
from harness.analysis.run_sets import FLOOR
from harness.metrics import BENCH_METRICS, RUN_METRICS
from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.record.calibration import NoiseFloor
from harness.record.measurement import BENCHMARKS, Interval, Measurement

_WINDOW = 10
_POOLED = 4


def noise_floors(runs: Sequence[Measurement]) -> list[NoiseFloor]:
    """The noise floor of every figure that comparisons show and all ``runs`` have, at least three of one build."""
    return list(_floors(runs))


def _floors(runs: Sequence[Measurement]) -> Iterator[NoiseFloor]:
    for phase in runs[0].phases:
        known: dict[str, Metric[Any]] = dict(BENCH_METRICS if phase.name == BENCHMARKS else RUN_METRICS)
        for endpoint, measured in phase.endpoints.items():
            for name in measured.figures:
                metric = known.get(name)
                if (
                    metric is None
                    or not metric.compared
                    or metric.unit.is_signed
                    or isinstance(metric.statistic, Exact)
                ):
                    continue
                had = [part for run in runs if (part := run.phase(phase.name, phase.variant)) is not None]
                equal = at_equal_speed(had, had, endpoint, name, enough=len(runs))
                figures = (
                    equal.figures if equal else [run.figure(phase.name, endpoint, name, phase.variant) for run in runs]
                )
                there = [figure for figure in figures if figure is not None]
                if len(there) == len(runs) and (metric.unit.is_share or min(figure.value for figure in there) > 0):
                    yield _floor(phase.name, endpoint, metric, there, at_equal_speed=equal is not None)


def _floor(
    phase: str, endpoint: str, metric: Metric[Any], figures: Sequence[Interval], *, at_equal_speed: bool
) -> NoiseFloor:
    share = metric.unit.is_share
    values = np.array([figure.value / 100 if share else math.log(figure.value) for figure in figures])
    own = float(np.median([_within(figure, share) for figure in figures]))
    n = len(figures)
    scatter = float(values.std(ddof=1))
    within = min(own, scatter)
    between = math.sqrt(max(0.0, scatter**2 - within**2))
    certainty, power = float(stdtrit(n - 1, 0.975)), float(stdtrit(n - 1, 0.95))
    assumed = 0.0 if share else Z * FLOOR

    def change(deviation: float, runs: int = 1) -> float:
        step = (max(certainty * deviation, assumed) + power * deviation) * math.sqrt(1 / runs + 1 / _WINDOW)
        if share:
            return step
        return math.expm1(step) if metric.better == "lower" else -math.expm1(-step)

    return NoiseFloor(
        phase=phase,
        endpoint=endpoint,
        metric=metric.name,
        unit=metric.unit.name,
        at_equal_speed=at_equal_speed,
        mean=float(np.mean([figure.value for figure in figures])),
        within=own if math.isfinite(own) else None,
        between=between,
        detectable=change(scatter),
        detectable_twice_as_long=change(math.hypot(between, within / math.sqrt(2))),
        detectable_pooled=change(scatter, _POOLED),
        limit=change(scatter),
    )


def _within(figure: Interval, share: bool) -> float:
    """The standard deviation within a run; of an interval that is open above, by its lower half."""
    low, high = figure.low, figure.high
    if share:
        return ((figure.value - low) / Z if high is None else (high - low) / (2 * Z)) / 100
    if low <= 0:
        return math.log(high / figure.value) / Z if high is not None else math.inf
    return math.log(figure.value / low) / Z if high is None else math.log(high / low) / (2 * Z)
