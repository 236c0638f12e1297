"""Compares figures of several runs as if the machine had been as fast in each of them.

A virtual machine that shares its cores changes its own speed: CPU time per request differed by 9 to 11 % between runs
of one build. Reference work beside the target slows down alike, so the quotient of both tells the build from the
machine. Figures at equal speed are never mixed with figures as they were measured.

Not every target slows down by as much as reference work: one that needs more of the caches slows down more. The runs of
one build show by how much. Their logarithms are regressed on those of the reference times, within each side, with a
prior around 1 (ridge regression: Hoerl & Kennard 1970, Technometrics 12). What the slope may be off by is added to the
intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.intervals import Z
from harness.analysis.run_sets import ENOUGH_RUNS
from harness.record.measurement import ALL, Interval, MachineSpeed, PhaseMeasurement

_PRIOR = 0.5
"""Standard deviation of slopes between targets."""
_NOISE = 0.02
"""The least by which runs of one build differ at equal speed: relative standard deviation."""
_FEWEST_DEGREES = 3
"""With fewer degrees of freedom (runs), the slope is 1."""
_STEEPEST = 1.0
"""The slope is at most 1 plus this, and at least 1 minus half of this."""


@dataclass(frozen=True, slots=True)
class EqualSpeed:
    """One figure of a phase in several runs, and in others, all at the mean speed of the machine in the former.

    None in place of a figure whose speed is not known: it does not count.
    """

    figures: list[Interval | None]
    others: list[Interval | None]
    slower: float
    """How much longer reference work took than in the others on average (0.07: the machine was 7 % slower)."""


def at_equal_speed(
    phases: Sequence[PhaseMeasurement],
    others: Sequence[PhaseMeasurement],
    endpoint: str,
    metric: str,
    *,
    enough: int = ENOUGH_RUNS,
    one_build: bool = True,
    doubtful: int = 0,
) -> EqualSpeed | None:
    """The figures at equal speed; None where they are to be compared as they were measured.

    At equal speed are compared runs of which all have their speed, or at least ``enough`` on either side.
    ``one_build``: the runs of a side differ only by noise, so they show how much the target slows down with it. The
    first ``doubtful`` of the others may be of another build than the rest: they are a side of their own there.
    """
    if endpoint != ALL:
        return None
    work = next((phase.speed.work for phase in phases if phase.speed), None)
    sides = [[_speed(phase, work, metric) for phase in side] for side in (phases, others)]
    logs = [[math.log(speed.time_ms) for speed in side if speed] for side in sides]
    if any(len(known) < min(len(side), enough) or not known for known, side in zip(logs, sides, strict=True)):
        return None
    here, there = (math.exp(sum(known) / len(known)) for known in logs)
    builds = sides[:1] if sides[0] == sides[1] else [sides[0], sides[1][:doubtful], sides[1][doubtful:]]
    excess, error = _excess(builds, metric) if one_build else (0.0, 0.0)
    unsure = Z * error * abs(math.log(here / there)) * math.sqrt(len(logs[0]))  # alike in all figures of this side

    def at(speed: MachineSpeed | None, unsure: float = 0.0) -> Interval | None:
        if speed is None:
            return None
        return _scaled(speed.figures[metric], here * (here / speed.time_ms) ** excess, unsure)

    return EqualSpeed([at(speed, unsure) for speed in sides[0]], [at(speed) for speed in sides[1]], here / there - 1)


def _excess(builds: Sequence[Sequence[MachineSpeed | None]], metric: str) -> tuple[float, float]:
    """By how much the slope is above 1, and the standard error of that."""
    x, y, degrees = [], [], 0
    for runs in builds:
        known = [speed for speed in runs if speed is not None and speed.figures[metric].value > 0]
        if known:
            times, figures = np.log([[speed.time_ms, speed.figures[metric].value] for speed in known]).T
            x.append(times - times.mean())
            y.append(figures - figures.mean())
            degrees += len(known) - 1
    if degrees < _FEWEST_DEGREES:
        return 0.0, 0.0
    of_speed, of_figure = np.concatenate(x), np.concatenate(y)
    known_by = float((of_speed**2).sum()) + (_NOISE / _PRIOR) ** 2
    slope = min(_STEEPEST, max(-_STEEPEST / 2, float((of_speed * of_figure).sum()) / known_by))
    left = float(((of_figure - slope * of_speed) ** 2).sum()) / (degrees - 1)
    return slope, math.sqrt(max(left, _NOISE**2) / known_by)


def slower_than(phase: PhaseMeasurement, others: Sequence[PhaseMeasurement]) -> list[float] | None:
    """How many times as long reference work took as in each of the others; None if one of the speeds is not known."""
    speeds = [other.speed for other in others]
    if phase.speed is None or any(speed is None or speed.work != phase.speed.work for speed in speeds):
        return None
    return [phase.speed.time_ms / speed.time_ms for speed in speeds if speed is not None]


def _speed(phase: PhaseMeasurement, work: str | None, metric: str) -> MachineSpeed | None:
    speed = phase.speed
    return speed if speed is not None and speed.work == work and metric in speed.figures else None


def _scaled(figure: Interval, by: float, unsure: float) -> Interval:
    """``by`` times the figure, which may besides be off by a factor of up to ``exp(unsure)``."""
    value, low, high = (None if each is None else by * each for each in (figure.value, figure.low, figure.high))
    assert value is not None
    assert low is not None
    if unsure and low > 0:
        low = value / math.exp(math.hypot(math.log(value / low), unsure))
        high = None if high is None else value * math.exp(math.hypot(math.log(high / value), unsure))
    return Interval(value=value, low=low, high=high)
