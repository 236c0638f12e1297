"""Compares the two builds of a duet turn by turn: noise hits both alike in the same seconds.

The unit is the *block*, four turns (``ABBA`` or ``BAAB``) of which each build has two. What slows a whole block slows
both builds; only what differs between them within blocks is noise.

- Every figure is a ratio of sums over blocks or a quantile. Its deviation in one block is its linearisation there
  (the influence function: Hampel 1974, JASA 69; for ratios Cochran 1977, section 6.4), relative to the figure. The
  block's deviation of the log ratio is that of build B minus that of build A. Blocks are taken to be independent: what
  lasts longer than a block hits both builds alike.
- A quantile's influence needs the density there, which is estimated from the quantiles at a distance (Siddiqui 1960;
  Bloch & Gastwirth 1968) of Hall & Sheather's bandwidth (1988, JRSS B 50(3)).
- A share such as the error rate may be 0, so builds are compared by its difference, with one success and one failure
  added to each (Agresti & Caffo 2000, The American Statistician 54(4)).
- CPU time per request is compared at equal machine speed: reference work that took longer in the turns of one build
  explains a part of its CPU time.
- Two starts of one build differ (memory layout, hash seeds: Kalibera & Jones 2013, ISMM). In a duet of several starts
  the error is that between starts, with the degrees of freedom that those have, where it exceeds what blocks of one
  start explain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from harness.analysis import anytime
from harness.analysis.intervals import Z
from harness.analysis.samples import Floats, Sample
from harness.metrics.metric import Metric
from harness.metrics.statistics import Mean, Proportion, Quantile, Rate
from harness.metrics.target import CpuPerRequest, PeakMemory
from harness.metrics.target_usage import TargetUsage
from harness.record.histogram import highest_of, lowest_of

_FEWEST_FOR_SLOPE = 8
"""Blocks beyond the starts from which on a slope is estimated."""
_FEWEST_BEYOND = 5
"""Requests that must lie beyond a quantile on either side, in each build."""


@dataclass(frozen=True, slots=True)
class Effect:
    """How far build B's figure is from A's: the log ratio, or of a share the difference."""

    value: float
    error: float
    degrees: float
    blocks: tuple[int, int] | None = None
    """If it is computed during the run: the number of blocks so far, and the number planned."""

    def bounds(self) -> tuple[float, float]:
        """Its 95 % interval."""
        half = self._factor(0.95) * self.error
        return self.value - half, self.value + half

    def widening(self, confidence: float) -> float:
        """How many times as wide its interval of that confidence is; infinite if that has no ends."""
        factor = self._factor(confidence)
        return factor / self._factor(0.95) if math.isfinite(factor) else math.inf

    def _factor(self, confidence: float) -> float:
        if self.blocks is not None:
            return anytime.reach(*self.blocks, 1 - confidence)
        return float(stdtrit(self.degrees, (1 + confidence) / 2))

    @property
    def chance(self) -> float:
        """The p-value, two-sided, of no difference."""
        if self.error <= 0:
            return 1.0
        if self.blocks is not None:
            return anytime.chance(self.value / self.error, *self.blocks)
        return 2 * float(stdtr(self.degrees, -abs(self.value) / self.error))


def effect_of(a: Sample, b: Sample, metric: Metric[Any], starts: Floats) -> Effect | None:
    """The effect on a figure, of samples whose "seconds" are the blocks. ``starts``: which start each block had.

    None where the requests are too few to compare, or the figure is not one that can be.
    """
    match metric.statistic:
        case Mean():
            found = _parted(_ratio(a.sum_us, a.timed), _ratio(b.sum_us, b.timed))
        case Quantile(q):
            found = _parted(_quantile(a, q), _quantile(b, q))
        case Rate(count):
            found = _parted(_ratio(count(a), a.lengths_s), _ratio(count(b), b.lengths_s))
        case Proportion(count):
            return _difference(a, count(a), b, count(b), starts)
        case _:
            return None
    if found is None:
        return None
    value, deviations = found
    return Effect(value, *_error(deviations, starts))


def effect_on_usage(a: TargetUsage, b: TargetUsage, metric: Metric[Any], starts: Floats) -> Effect | None:
    """The effect on what the processes used, of usage by block.

    Memory does not change with the turns. Starts of one build differ in it by :attr:`Metric.between_runs`, and how much
    these do is not known.
    """
    if not len(a.cpu_s) or not len(b.cpu_s):
        return None
    if isinstance(metric.statistic, PeakMemory):
        one, other = metric.value(a), metric.value(b)
        if not one or not other or metric.between_runs is None:
            return None
        return Effect(math.log(other / one), metric.between_runs * math.sqrt(2 / len(np.unique(starts))), math.inf)
    if not isinstance(metric.statistic, CpuPerRequest):
        return None
    found = _parted(_ratio(a.cpu_s, a.requests), _ratio(b.cpu_s, b.requests))
    if found is None:
        return None
    value, deviations = found
    return _at_equal_speed(value, deviations, _speeds(a, b), starts)


def _speeds(a: TargetUsage, b: TargetUsage) -> _Figure | None:
    """How much longer reference work took in the turns of B, weighed as the requests are."""
    if not all(len(each.reference_ms) and np.isfinite(each.reference_ms).all() for each in (a, b)):
        return None
    if np.array_equal(a.reference_ms, b.reference_ms):  # side by side
        return None
    return _parted(*(_ratio(each.requests * each.reference_ms, each.requests) for each in (a, b)))


def _at_equal_speed(value: float, deviations: Floats, speeds: _Figure | None, starts: Floats) -> Effect:
    """The effect less what the speed of the machine in the turns of either build explains.

    That is an analysis of covariance (Cochran 1957, Biometrics 13): the slope comes from the blocks, as the time of
    reference work has noise of its own, which makes a fixed slope of 1 too steep.
    """
    blocks, count = len(deviations), len(np.unique(starts))
    if speeds is None or blocks - count < _FEWEST_FOR_SLOPE or not speeds[1].any():
        return Effect(value, *_error(deviations, starts))
    slower, by_block = speeds
    squares = float(by_block @ by_block)
    slope = float(deviations @ by_block) / squares
    rest = deviations - slope * by_block
    error, degrees = _error(rest, starts, fitted=1)
    uncertain = float(rest @ rest) / (blocks - count - 1) / squares
    return Effect(value - slope * slower, math.hypot(error, slower * math.sqrt(uncertain)), degrees)


_Figure = tuple[float, Floats]
"""The logarithm of a figure and its deviation by block."""


def _parted(a: _Figure | None, b: _Figure | None) -> _Figure | None:
    return None if a is None or b is None else (b[0] - a[0], b[1] - a[1])


def _ratio(part: Floats, whole: Floats) -> _Figure | None:
    """Of the sum of ``part`` to that of ``whole``."""
    if part.sum() <= 0 or whole.sum() <= 0:
        return None
    return math.log(part.sum() / whole.sum()), part / part.sum() - whole / whole.sum()


def _quantile(sample: Sample, q: float) -> _Figure | None:
    times = sample.merged
    if times.count * min(q, 1 - q) < _FEWEST_BEYOND:
        return None
    logs = np.log(np.maximum((lowest_of(times.indices) + highest_of(times.indices)) / 2, 0.5))
    upto = np.cumsum(times.counts) - times.counts / 2
    distance = _bandwidth(q, times.count)
    low, middle, high = np.interp(np.array([q - distance, q, q + distance]) * times.count, upto, logs)
    sparsity = (high - low) / (2 * distance)
    within = sample.within(times.bucket_at(q))
    share = within.sum() / times.count
    return float(middle), sparsity * (share * sample.timed - within) / times.count


def _bandwidth(q: float, count: int) -> float:
    """Hall & Sheather's for 95 %, but within 0…1."""
    normal = float(ndtri(q))
    density = math.exp(-(normal**2) / 2) / math.sqrt(2 * math.pi)
    distance = count ** (-1 / 3) * Z ** (2 / 3) * (1.5 * density**2 / (2 * normal**2 + 1)) ** (1 / 3)
    return float(min(distance, 0.9 * min(q, 1 - q)))


def _difference(a: Sample, of_a: Floats, b: Sample, of_b: Floats, starts: Floats) -> Effect | None:
    shares, deviations, alone = [], [], 0.0
    for sample, counted in ((a, of_a), (b, of_b)):
        count = sample.requests.sum()
        if count <= 0:
            return None
        share = float(counted.sum() + 1) / float(count + 2)
        alone += share * (1 - share) / float(count + 2)
        deviations.append((counted - counted.sum() / count * sample.requests) / count)
        shares.append(share)
    error, degrees = _error(deviations[1] - deviations[0], starts)
    return Effect(shares[1] - shares[0], max(error, math.sqrt(alone)), degrees)


def _error(deviations: Floats, starts: Floats, *, fitted: int = 0) -> tuple[float, float]:
    """The standard error of the sum of ``deviations``, and its degrees of freedom.

    ``fitted``: how many slopes were taken out of them. That between starts counts if it is the larger one; it then
    knows only as much as there are starts.
    """
    n = len(deviations)
    if n < 2:
        return math.inf, 1.0
    numbers = np.unique(starts, return_inverse=True)[1]
    by_start = np.bincount(numbers, weights=deviations)
    m = len(by_start)
    within = deviations - (by_start / np.bincount(numbers))[numbers]
    free = n - m - fitted
    errors = [(_sum_of_squares(within) * n / free, free)] if free > 0 else []
    errors += [(_sum_of_squares(by_start - by_start.mean()) * m / (m - 1), m - 1)] if m > 1 else []
    variance, degrees = max(errors)
    return math.sqrt(variance), float(degrees)


def _sum_of_squares(values: Floats) -> float:
    return float(np.square(values).sum())
