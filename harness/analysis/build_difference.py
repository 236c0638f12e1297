"""How two builds differ in one figure, each measured by one or more runs.

The wider of the noise within the runs and between them counts (:mod:`harness.analysis.run_sets`), so that neither can
make a difference real by itself. Exact counts have no noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from scipy.special import ndtri

from harness.analysis.intervals import Z
from harness.analysis.run_sets import ENOUGH_RUNS, FLOOR, RunSet, apart, between, is_linear, within
from harness.analysis.run_sets import degrees as degrees_between
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
    is_linear: bool
    """Whether that scale is the difference, not the ratio."""


def sets_against(
    observed: Sequence[Interval],
    baselines: Sequence[Interval],
    metric: Metric[Any],
    degrees: float,
    calibrated: float | None,
) -> Difference:
    """Compare the runs of two builds; each run's own interval has so many ``degrees`` of freedom.

    ``calibrated`` is the standard deviation between runs that their machine was measured to have. Without it, and with
    fewer than :data:`ENOUGH_RUNS` runs a side, runs are taken to vary as :attr:`Metric.between_runs` says.
    """
    if isinstance(metric.statistic, Exact):
        mean = sum(run.value for run in observed) / len(observed)
        baseline = sum(run.value for run in baselines) / len(baselines)
        return Difference(baseline, Interval.exactly(mean), math.inf, 0.0, is_linear=True)
    linear = is_linear(metric, (*observed, *baselines))
    seen, base = (RunSet.of(side, is_linear=linear) for side in (observed, baselines))
    known = max(FLOOR, calibrated or 0.0)
    few = calibrated is None and max(len(observed), len(baselines)) < ENOUGH_RUNS
    prior = metric.between_runs if few else None
    return difference(seen, base, metric, degrees, known=known, assumed=prior or known)


def difference(
    seen: RunSet,
    base: RunSet,
    metric: Metric[Any],
    degrees: float,
    *,
    known: float,
    assumed: float,
    confidence: float = 0.95,
) -> Difference:
    """The difference of two sets on a scale in common.

    ``known`` is the standard deviation between runs towards which theirs is moderated, ``assumed`` the one that counts
    beside the noise within them. Neither applies to figures that are compared by difference. ``confidence`` is that of
    the interval.

    If the runs' own noise decides, the degrees of freedom are those of Welch (1947, Biometrika 34) and Satterthwaite
    (1946, Biometrics Bulletin 2): several runs show their noise better than one.
    """
    wider = float(ndtri((1 + confidence) / 2)) / Z
    unseen = 0.0 if base.is_linear else Z * assumed * apart(seen, base)
    widest = between(seen, base, floor=0.0 if base.is_linear else known, tail=(1 - confidence) / 2)
    down, up = (wider * reach for reach in within(seen, base, unseen=unseen))
    if widest > down:
        degrees = degrees_between(seen, base)
    elif spread := sum(part**4 for part in (*seen.parts(seen.below), *base.parts(base.above)) if down < math.inf):
        degrees *= down**4 / spread
    interval = seen.interval(max(down, widest), max(up, widest), is_signed=metric.unit.is_signed)
    return Difference(base.figure, interval, degrees, unseen, base.is_linear)
