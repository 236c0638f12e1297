"""Compares a figure with the baseline's: how far apart they are, with the noise of both sides.

Figures are compared as ratios, in logarithms: twice as slow is as far as half as fast. Two estimates of the noise of
that ratio are at hand. The wider one counts, so that neither can make a difference real by itself:

- *Within the runs*: the intervals of both sides, combined by MOVER (Zou & Donner 2008, Statistics in Medicine 27: the
  interval of a difference from the intervals of its parts, which need not be symmetric), and :data:`FLOOR` for what no
  run can see from inside. Runs of one build differ by that much even on a quiet machine, because of start-up, memory
  layout and neighbours (Kalibera & Jones 2013, ISMM, find that between-run variation dominates).
- *Between the baseline's runs*: their standard deviation, moderated towards that floor while the runs are few (as in
  Smyth 2004, SAGMB 3(1)), times Student's t: how far one more run of the same build would stray.

Runs of the baseline count by their noise (:mod:`harness.analysis.random_effects`): a noisy night moves it little.

Shares such as the error rate may be 0, and growth may be negative: both are compared by difference. Exact counts
have no noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from harness.analysis.intervals import Bounds, Z
from harness.analysis.random_effects import weights
from harness.analysis.samples import Floats
from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.record.measurement import Interval
from harness.record.summary import Meaning

FLOOR = 0.015
"""Relative standard deviation between two runs of one build that is always assumed."""

PRIOR_RUNS = 2.0
"""How many runs' worth of evidence the floor is."""


ENOUGH_RUNS = 3
"""With fewer, a baseline shows too little of how runs differ for a ``fail`` to rest on it."""


def against(
    observed: Interval,
    baselines: Sequence[Interval],
    metric: Metric[Any],
    *,
    doubtful: bool = False,
    calibrated: float | None = None,
) -> tuple[float, Interval]:
    """The baseline's figure (of one run or more), and the observed one with an interval that holds both sides' noise.

    Comparing that interval with a limit computed from the baseline's figure is the comparison of the two. With
    ``doubtful``, a baseline of fewer than :data:`ENOUGH_RUNS` is taken to vary as much between runs as
    :attr:`Metric.between_runs` says of shared machines: what is still a difference is one on any machine.
    ``calibrated`` is the standard deviation between runs that this machine was measured to have: it takes the place of
    that assumption, and of :data:`FLOOR` where it is larger.
    """
    if isinstance(metric.statistic, Exact):
        return sum(run.value for run in baselines) / len(baselines), observed
    unit = metric.unit
    if unit.is_share or unit.is_signed or observed.value <= 0 or min(run.value for run in baselines) <= 0:
        return _by_difference(observed, baselines, -math.inf if unit.is_signed else 0.0)
    middle = math.log(observed.value)
    runs = np.log([run.value for run in baselines])
    below = middle - _log(observed.low)
    above = _log(observed.high) - middle
    below_each = [math.log(run.value) - _log(run.low) for run in baselines]
    above_each = [_log(run.high) - math.log(run.value) for run in baselines]
    share = weights(runs, np.array([_deviation(*ends) for ends in zip(below_each, above_each, strict=True)]))
    base_below, base_above = _joined(below_each, share), _joined(above_each, share)
    known = max(FLOOR, calibrated or 0.0)
    prior = metric.between_runs if doubtful and calibrated is None and len(runs) < ENOUGH_RUNS else None
    floor = Z * (prior or known) * math.sqrt(1 + float((share**2).sum()))
    between = _between(runs, share, known)
    low = middle - max(math.hypot(below, base_above, floor), between)
    high = middle + max(math.hypot(above, base_below, floor), between)
    return math.exp(float(share @ runs)), _interval(observed.value, math.exp(low), math.exp(high))


def relative(observed: Interval, baseline: float, metric: Metric[Any]) -> tuple[float | None, Bounds | None]:
    """The change from ``baseline`` and its interval, of what :func:`against` gave.

    0.05 is 5 % more, or of a share 5 percentage points more. None where the baseline is 0, so that nothing is relative
    to it.
    """
    if metric.unit.is_share:
        high = None if observed.high is None else (observed.high - baseline) / 100
        return (observed.value - baseline) / 100, ((observed.low - baseline) / 100, high)
    if baseline <= 0:
        return None, None
    high = None if observed.high is None else observed.high / baseline - 1
    return observed.value / baseline - 1, (observed.low / baseline - 1, high)


def meaning_of(interval: Bounds | None, metric: Metric[Any]) -> Meaning:
    """What the interval of a change means: one that holds 0 is within the noise."""
    if interval is None:
        return "no clear change"
    low, high = interval
    grew, shrank = low > 0, high is not None and high < 0
    if not grew and not shrank:
        return "no clear change"
    return "better" if grew == (metric.better == "higher") else "worse"


def _by_difference(observed: Interval, baselines: Sequence[Interval], least: float) -> tuple[float, Interval]:
    runs = np.array([run.value for run in baselines])
    high = math.inf if observed.high is None else observed.high
    share = np.full(len(runs), 1 / len(runs))  # the fewer failures, the surer a run seems: weights would favour luck
    base_below = _joined([run.value - run.low for run in baselines], share)
    base_above = _joined([(math.inf if run.high is None else run.high) - run.value for run in baselines], share)
    between = _between(runs, share, 0.0)
    below = max(math.hypot(observed.value - observed.low, base_above), between)
    above = max(math.hypot(high - observed.value, base_below), between)
    return float(runs.mean()), _interval(observed.value, max(least, observed.value - below), observed.value + above)


def _between(runs: Floats, share: Floats, floor: float) -> float:
    """Half the 95 % prediction interval for one more run; 0 where the baseline has only one."""
    m = len(runs)
    if m < 2:
        return 0.0
    degrees = PRIOR_RUNS + m - 1
    squares = m * float(share @ np.square(runs - share @ runs))
    spread = math.sqrt((PRIOR_RUNS * floor**2 + squares) / degrees)
    return float(stdtrit(degrees, 0.975)) * spread * math.sqrt(1 + float((share**2).sum()))


def _joined(distances: Sequence[float], share: Floats) -> float:
    """How far the weighted mean of several figures may be off, from how far each may."""
    return math.hypot(*(each * part for each, part in zip(distances, share, strict=True) if part))


def _deviation(below: float, above: float) -> float:
    """The standard deviation within a run; infinite where its figure is not bounded on a side."""
    return math.hypot((below + above) / (2 * Z), FLOOR)


def _log(value: float | None) -> float:
    if value is None:
        return math.inf
    return math.log(value) if value > 0 else -math.inf


def _interval(value: float, low: float, high: float) -> Interval:
    return Interval(value=value, low=low, high=high if math.isfinite(high) else None)
