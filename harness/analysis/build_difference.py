"""How two builds differ in one figure, each measured by one or more runs.

As :mod:`harness.analysis.baseline_difference`, which holds one run against a baseline: in logarithms, with the wider
of the noise within the runs (MOVER, Zou & Donner 2008) and between them (moderated as in Smyth 2004). Both sides are
alike here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from harness.analysis.baseline_difference import ENOUGH_RUNS, FLOOR, PRIOR_RUNS
from harness.analysis.intervals import Z
from harness.analysis.samples import Floats
from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.record.measurement import Interval


class Difference(NamedTuple):
    """A figure of both builds; ``seen`` is B's, with an interval that holds the noise of both sides."""

    baseline: float
    seen: Interval
    degrees: float
    """The degrees of freedom of the interval."""
    unseen: float
    """How far no second of the runs can narrow it, as half an interval on the scale on which it is symmetric."""


def sets_against(
    observed: Sequence[Interval],
    baselines: Sequence[Interval],
    metric: Metric[Any],
    degrees: float = math.inf,
) -> Difference:
    """Compare the runs of two builds; each run's own interval has so many ``degrees`` of freedom.

    With fewer than :data:`ENOUGH_RUNS` runs a side, runs are taken to vary as :attr:`Metric.between_runs` says.

    If the runs' own noise decides, those of Welch (1947, Biometrika 34) and Satterthwaite (1946, Biometrics Bulletin
    2) are the difference's: several runs show their noise better than one.
    """
    if isinstance(metric.statistic, Exact):
        mean = sum(run.value for run in observed) / len(observed)
        baseline = sum(run.value for run in baselines) / len(baselines)
        return Difference(baseline, Interval(value=mean, low=mean, high=mean), math.inf, 0.0)
    unit, n, m = metric.unit, len(observed), len(baselines)
    linear = unit.is_share or unit.is_signed or min(run.value for run in (*observed, *baselines)) <= 0
    scale, deviation = (_plain, 0.0) if linear else (_log, FLOOR)
    seen, runs = (np.array([scale(run.value) for run in side]) for side in (observed, baselines))
    below, above = _reach(observed, scale)
    base_below, base_above = _reach(baselines, scale)
    prior = metric.between_runs if max(n, m) < ENOUGH_RUNS else None
    unseen = 0.0 if linear else Z * (prior or deviation) * math.sqrt(1 / n + 1 / m)
    between, middle = _between(seen, runs, deviation), float(seen.mean())
    down, up = math.hypot(*below, *base_above, unseen), math.hypot(*above, *base_below, unseen)
    low, high = middle - max(down, between), middle + max(up, between)
    if between > down:
        degrees = PRIOR_RUNS + n + m - 2
    elif spread := sum(part**4 for part in (*below, *base_above) if down < math.inf):
        degrees *= down**4 / spread
    if linear:
        low = low if unit.is_signed else max(0.0, low)
        return Difference(float(runs.mean()), _interval(middle, low, high), degrees, unseen)
    # Of a single run exactly its figure, which exp(log(x)) is not.
    value, baseline = (
        side[0].value * math.exp(logs.mean() - logs[0]) for side, logs in ((observed, seen), (baselines, runs))
    )
    return Difference(baseline, _interval(value, math.exp(low), math.exp(high)), degrees, unseen)


def _between(observed: Floats, baselines: Floats, floor: float) -> float:
    """Half the 95 % interval of the difference of the means, by how runs of one build differ; 0 for one run a side.

    With one observed run that is the prediction interval of one more run of the baseline.
    """
    n, m = len(observed), len(baselines)
    if n + m < 3:
        return 0.0
    degrees = PRIOR_RUNS + n + m - 2
    squares = sum(float(np.square(runs - runs.mean()).sum()) for runs in (observed, baselines))
    spread = math.sqrt((PRIOR_RUNS * floor**2 + squares) / degrees)
    return float(stdtrit(degrees, 0.975)) * spread * math.sqrt(1 / n + 1 / m)


def _reach(runs: Sequence[Interval], scale: Callable[[float | None], float]) -> tuple[list[float], list[float]]:
    """How far below and above each run's noise may put the mean of their figures, on that scale."""
    below = [(scale(run.value) - scale(run.low)) / len(runs) for run in runs]
    above = [(scale(run.high) - scale(run.value)) / len(runs) for run in runs]
    return below, above


def _plain(value: float | None) -> float:
    return math.inf if value is None else value


def _log(value: float | None) -> float:
    if value is None:
        return math.inf
    return math.log(value) if value > 0 else -math.inf


def _interval(value: float, low: float, high: float) -> Interval:
    return Interval(value=value, low=low, high=high if math.isfinite(high) else None)
