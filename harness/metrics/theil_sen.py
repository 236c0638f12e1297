"""A robust slope: the median over all pairs of points, with its 95 % interval (Sen 1968, JASA 63).

As ``scipy.stats.theilslopes``, whose import takes a second of CPU at the end of every run.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_Z = NormalDist().inv_cdf(0.975)


def theil_sen(x: Floats, y: Floats) -> tuple[float, float, float]:
    """The slope of ``y`` over ``x`` and the bounds of its interval."""
    n = len(x)
    run, rise = (np.concatenate([values[lag:] - values[:-lag] for lag in range(1, n)]) for values in (x, y))
    slopes = np.sort(rise[run != 0] / run[run != 0])
    # The variance of Kendall's S, less what ties of y take from it.
    ties = np.unique(y, return_counts=True)[1]
    spread = _Z * math.sqrt((_kendall(n) - sum(map(_kendall, ties.tolist()))) / 18)
    below = max(round((len(slopes) - spread) / 2) - 1, 0)
    above = min(round((len(slopes) + spread) / 2), len(slopes) - 1)
    return float(np.median(slopes)), float(slopes[below]), float(slopes[above])


def _kendall(n: int) -> int:
    return n * (n - 1) * (2 * n + 5)
