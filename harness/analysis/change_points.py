"""Where a series of figures, one a run, took a step.

Optimal partitioning (Jackson et al. 2005, IEEE Signal Processing Letters 12) finds the steps that minimise the squared
distance of all runs from the mean of their stretch, plus a penalty for each step: exact, as PELT (Killick et al. 2012,
JASA 107) is, and fast enough for a history's few hundred runs. ``ruptures`` has no wheel for Python 3.14.

- Figures are compared as ratios, in logarithms, shares by difference.
- The noise is that of neighbouring runs: the median of their absolute differences, which steps and outliers hardly
  change (Rousseeuw & Croux 1993, JASA 88), and never less than ``floor``.
- A single run far from both its neighbours is an outlier, not two steps: if these agree, it counts as their mean.
- The penalty is that of Zhang & Siegmund (2007, Biometrics 63), in units of the noise: three times the logarithm of the
  number of runs for each step; a stretch has at least :data:`SHORTEST` runs.
- A step then has to pass Student's t against its neighbours at 1 % divided by the number of runs (Bonferroni), with the
  noise that is left around all levels, or around its own if that is wider, and with what neighbouring runs have in
  common (an AR(1)). The weakest step that does not is removed, until all do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.special import stdtrit

from harness.analysis.samples import Floats

SHORTEST = 3
"""So many runs show a new level; fewer may be chance."""
FEWEST = 2 * SHORTEST
"""With fewer figures no step is found."""
_OUTLIER = 4.0
"""Standard deviations of the noise."""
_CHANCE = 0.01
"""The chance that a series without a step shows one."""


def change_points(values: Sequence[float] | Floats, floor: float) -> list[int]:
    """The indices at which a new level begins. ``floor`` is the least standard deviation of the noise."""
    series = np.asarray(values, dtype=float)
    n = len(series)
    if n < FEWEST:
        return []
    noise = _noise_of(series, floor)
    series = _without_outliers(series, noise) / noise
    sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (series, series**2))
    penalty = 3 * math.log(n)
    best = np.full(n + 1, math.inf)
    best[0] = -penalty
    last = np.zeros(n + 1, dtype=int)
    for end in range(SHORTEST, n + 1):
        starts = np.arange(end - SHORTEST + 1)
        total = sums[end] - sums[starts]
        cost = squares[end] - squares[starts] - total**2 / (end - starts)
        whole = best[starts] + cost + penalty
        last[end] = int(np.argmin(whole))
        best[end] = whole[last[end]]
    found: list[int] = []
    at = int(last[n])
    while at > 0:
        found.insert(0, at)
        at = int(last[at])
    while found:
        strengths = _strengths(series, found, floor / noise)
        weakest = int(np.argmin(strengths))
        if strengths[weakest] >= 1:
            break
        del found[weakest]
    return found


def _strengths(series: Floats, found: Sequence[int], floor: float) -> list[float]:
    """How far each step is above chance: 1 is just enough."""
    n = len(series)
    parts = np.split(series, list(found))
    left = np.concatenate([part - part.mean() for part in parts])
    degrees = n - len(parts)
    common = max(0.0, float((left[1:] * left[:-1]).sum() / max((left**2).sum(), 1e-12)))
    wider = math.sqrt((1 + common) / max(1 - common, 0.1))
    pooled = max(math.sqrt(float((left**2).sum()) / degrees), floor)
    threshold = -float(stdtrit(degrees, _CHANCE / (2 * n)))
    found_strengths = []
    for before, after in pairwise(parts):
        spread = math.hypot(*(max(pooled, float(part.std(ddof=1))) / math.sqrt(len(part)) for part in (before, after)))
        found_strengths.append(abs(float(after.mean() - before.mean())) / (spread * wider * threshold))
    return found_strengths


def _noise_of(series: Floats, floor: float) -> float:
    """The standard deviation of a run around its level, from how neighbouring runs differ."""
    if len(series) < 3:
        return floor
    return max(floor, float(np.median(np.abs(np.diff(series)))) / (0.6745 * math.sqrt(2)))


def _without_outliers(series: Floats, noise: float) -> Floats:
    """``series`` with each run that is far from both its neighbours, which agree, replaced by their mean."""
    clean = series.copy()
    before, middle, after = series[:-2], series[1:-1], series[2:]
    alone = np.minimum(np.abs(middle - before), np.abs(middle - after)) > _OUTLIER * noise
    agree = np.abs(before - after) < _OUTLIER * noise
    clean[1:-1] = np.where(alone & agree, (before + after) / 2, middle)
    return clean
