"""Several runs together against several others: what none of them can tell alone.

The nights since the last clear one are pooled: their mean against that of the runs before them, by Student's t. How
much runs of one build differ is estimated within each of the two sets (else a real change would count as noise), and
never less than the floor of :mod:`harness.analysis.baseline_difference`.

The test is repeated each night while the row grows, which the level of each look takes into account: that of Pocock
(1977, Biometrika 64) for ten looks that together err with 2.5 % on one side. So whenever a row of inconclusive nights
begins, it ends in a ``fail`` for a change no larger than the limit allows with a probability of at most 2.5 %. That
holds although only undecided nights are pooled: a row of them is one of the rows of all nights, and for those the level
is kept. A row of more than eleven nights goes on with the last eleven, each look at the same level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from harness.analysis.baseline_difference import FLOOR
from harness.analysis.intervals import Z
from harness.metrics.metric import Metric
from harness.record.measurement import Interval

LEVEL = 0.0053
"""Of one look, on one side."""
MOST_NIGHTS = 11
"""So many are pooled at most: the ten looks that :data:`LEVEL` is for begin with two nights."""


def pooled_against(
    nights: Sequence[Interval], before: Sequence[Interval], metric: Metric[Any]
) -> tuple[float, Interval]:
    """The figure of the runs ``before``, and that of ``nights`` with an interval that holds the noise of both.

    A figure is the (geometric) mean of its runs'; each end of the interval errs with :data:`LEVEL`. Takes three runs.
    """
    k, m = len(nights), len(before)
    linear = metric.unit.is_share or metric.unit.is_signed or min(run.value for run in (*nights, *before)) <= 0
    own, reference = (_side(runs, linear) for runs in (nights, before))
    z, floor = -float(ndtri(LEVEL)), 0.0 if linear else FLOOR
    degrees = k + m - 2
    squares = sum(float(np.square(side[1] - side[1].mean()).sum()) for side in (own, reference))
    apart = math.sqrt(1 / k + 1 / m)
    between = -float(stdtrit(degrees, LEVEL)) * math.sqrt(squares / degrees) * apart
    unseen = z * floor * apart
    down = max(z / Z * math.hypot(own[0], reference[2]), between, unseen)
    up = max(z / Z * math.hypot(own[2], reference[0]), between, unseen)
    middle, base = float(own[1].mean()), float(reference[1].mean())
    if linear:
        low = middle - down if metric.unit.is_signed else max(0.0, middle - down)
        return base, _interval(middle, low, middle + up)
    return math.exp(base), _interval(math.exp(middle), math.exp(middle - down), math.exp(middle + up))


def _side(runs: Sequence[Interval], linear: bool) -> tuple[float, np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """How far below its mean the noise within the runs reaches, their figures, and how far above."""

    def scaled(value: float | None) -> float:
        if value is None:
            return math.inf
        return value if linear else math.log(value) if value > 0 else -math.inf

    below = math.hypot(*(scaled(run.value) - scaled(run.low) for run in runs)) / len(runs)
    above = math.hypot(*(scaled(run.high) - scaled(run.value) for run in runs)) / len(runs)
    return below, np.array([scaled(run.value) for run in runs]), above


def _interval(value: float, low: float, high: float) -> Interval:
    return Interval(value=value, low=low, high=high if math.isfinite(high) else None)
