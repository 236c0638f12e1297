"""Runs of one build on the scale of comparisons, and the noise of the difference of two such sets.

Figures are compared as ratios, in logarithms: twice as slow is as far as half as fast. Shares such as the error rate
may be 0, and growth may be negative: both are compared by difference. Two estimates of the noise are at hand:

- *Within the runs*: the intervals of both sides, combined by MOVER (Zou & Donner 2008, Statistics in Medicine 27: the
  interval of a difference from the intervals of its parts, which need not be symmetric), and :data:`FLOOR` for what no
  run can see from inside. Runs of one build differ by that much even on a quiet machine, because of start-up, memory
  layout and neighbours (Kalibera & Jones 2013, ISMM, find that between-run variation dominates).
- *Between the runs*: their standard deviation, moderated towards that floor while the runs are few (as in Smyth 2004,
  SAGMB 3(1)), times Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.special import stdtrit

from harness.analysis.intervals import Z
from harness.analysis.random_effects import weights
from harness.analysis.samples import Floats
from harness.metrics.metric import Metric
from harness.record.measurement import Interval

FLOOR = 0.015
"""Relative standard deviation between two runs of one build that is always assumed."""

PRIOR_RUNS = 2.0
"""How many runs' worth of evidence the floor is."""

SURE = 0.995
"""The confidence of the interval that must exceed a limit for a ``fail``: several gates with 95 % intervals would fail
one unchanged build in twenty on a noisy machine."""

ENOUGH_RUNS = 3
"""With fewer, a set shows too little of how runs differ for a ``fail`` to rest on it."""


@dataclass(frozen=True, slots=True, eq=False)
class RunSet:
    """One figure of several runs of a build; ``share`` is the weight of each in their mean, 1 together."""

    first: float
    """The figure of the first run, as measured."""
    is_linear: bool
    values: Floats
    below: Floats
    """How far below each value its interval reaches."""
    above: Floats
    share: Floats

    @classmethod
    def of(cls, runs: Sequence[Interval], *, is_linear: bool) -> Self:
        """All runs count the same."""
        low, values, high = (
            np.array([_scaled(end, is_linear=is_linear) for end in ends])
            for ends in zip(*((run.low, run.value, run.high) for run in runs), strict=True)
        )
        share = np.full(len(runs), 1 / len(runs))
        return cls(runs[0].value, is_linear, values, values - low, high - values, share)

    def weighed(self) -> Self:
        """The same, but runs count by their noise (:mod:`harness.analysis.random_effects`)."""
        deviations = np.hypot((self.below + self.above) / (2 * Z), FLOOR)
        return replace(self, share=weights(self.values, deviations))

    @property
    def mean(self) -> float:
        """On the scale of the values."""
        return float(self.share @ self.values)

    @property
    def figure(self) -> float:
        """The mean as a figure; of a single run exactly its own, which exp(log(x)) is not."""
        return self.mean if self.is_linear else self.first * math.exp(self.mean - self.values[0])

    @property
    def squares(self) -> float:
        """The sum of the squared distances from the mean."""
        return len(self.values) * float(self.share @ np.square(self.values - self.mean))

    def parts(self, distances: Floats) -> list[float]:
        """How much each run may put the mean off, given how much the run may be off; only runs with weight."""
        return [float(each * part) for each, part in zip(distances, self.share, strict=True) if part]

    def interval(self, down: float, up: float, *, is_signed: bool) -> Interval:
        """The figure with an interval from ``down`` below to ``up`` above the mean, on the scale of the values."""
        low, high = self.mean - down, self.mean + up
        if not self.is_linear:
            low, high = math.exp(low), math.exp(high)
        low = low if is_signed else max(0.0, low)
        return Interval(value=self.figure, low=low, high=high if math.isfinite(high) else None)


def is_linear(metric: Metric[Any], runs: Sequence[Interval]) -> bool:
    """Whether a figure of these runs is compared by difference, not by ratio."""
    return metric.unit.is_share or metric.unit.is_signed or min(run.value for run in runs) <= 0


def apart(one: RunSet, other: RunSet) -> float:
    """The standard error of the difference of the means of two sets whose runs vary with a deviation of 1."""
    return math.sqrt(float((one.share**2).sum() + (other.share**2).sum()))


def within(one: RunSet, other: RunSet, *, unseen: float = 0.0) -> tuple[float, float]:
    """How far below and above ``one - other`` the noise within their runs reaches, and ``unseen`` beside it."""
    down = math.hypot(*one.parts(one.below), *other.parts(other.above), unseen)
    return down, math.hypot(*one.parts(one.above), *other.parts(other.below), unseen)


def between(one: RunSet, other: RunSet, *, floor: float = 0.0, prior: float = PRIOR_RUNS, tail: float = 0.025) -> float:
    """Half the interval of the difference of the means, by how runs of one build differ; 0 for one run a side.

    The interval errs with ``tail`` at each end. With one run in ``one`` it is the prediction interval of one more run.
    """
    count = len(one.values) + len(other.values)
    if count < 3:
        return 0.0
    spread = math.sqrt((prior * floor**2 + one.squares + other.squares) / degrees(one, other, prior=prior))
    return -float(stdtrit(degrees(one, other, prior=prior), tail)) * spread * apart(one, other)


def degrees(one: RunSet, other: RunSet, *, prior: float = PRIOR_RUNS) -> float:
    """The degrees of freedom of :func:`between`."""
    return prior + len(one.values) + len(other.values) - 2


def _scaled(value: float | None, *, is_linear: bool) -> float:
    if value is None:
        return math.inf
    if is_linear:
        return value
    return math.log(value) if value > 0 else -math.inf
