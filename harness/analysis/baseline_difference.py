"""Compares a figure with the baseline's: how far apart they are, with the noise of both sides.

The baseline's runs count by their noise (:mod:`harness.analysis.random_effects`): a noisy night moves it little. How
they differ says how far one more run of the same build would stray.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from harness.analysis.build_difference import difference
from harness.analysis.intervals import Bounds
from harness.analysis.run_sets import ENOUGH_RUNS, FLOOR, RunSet, is_linear
from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.record.changes import Meaning
from harness.record.measurement import Interval


def against(
    observed: Interval,
    baselines: Sequence[Interval],
    metric: Metric[Any],
    *,
    doubtful: bool = False,
    confidence: float = 0.95,
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
    linear = is_linear(metric, (observed, *baselines))
    base = RunSet.of(baselines, is_linear=linear)
    if not linear:  # the fewer failures, the surer a run seems: weights would favour luck
        base = base.weighed()
    known = max(FLOOR, calibrated or 0.0)
    prior = metric.between_runs if doubtful and calibrated is None and len(baselines) < ENOUGH_RUNS else None
    seen = RunSet.of([observed], is_linear=linear)
    found = difference(seen, base, metric, math.inf, known=known, assumed=prior or known, confidence=confidence)
    return found.baseline, found.seen


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
