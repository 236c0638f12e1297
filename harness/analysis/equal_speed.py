"""Compares figures of several runs as if the machine had been as fast in each of them.

A virtual machine that shares its cores changes its own speed: CPU time per request differed by 9 to 11 % between runs
of one build. Reference work beside the target slows down alike, so the quotient of both tells the build from the
machine. Figures at equal speed are never mixed with figures as they were measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.run_sets import ENOUGH_RUNS
from harness.record.measurement import ALL, Interval, MachineSpeed, PhaseMeasurement


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
) -> EqualSpeed | None:
    """The figures at equal speed; None where they are to be compared as they were measured.

    At equal speed are compared runs of which all have their speed, or at least ``enough`` on either side.
    """
    if endpoint != ALL:
        return None
    work = next((phase.speed.work for phase in phases if phase.speed), None)
    sides = [[_speed(phase, work, metric) for phase in side] for side in (phases, others)]
    logs = [[math.log(speed.time_ms) for speed in side if speed] for side in sides]
    if any(len(known) < min(len(side), enough) or not known for known, side in zip(logs, sides, strict=True)):
        return None
    here, there = (math.exp(sum(known) / len(known)) for known in logs)
    figures, of_others = ([_scaled(speed.figures[metric], here) if speed else None for speed in side] for side in sides)
    return EqualSpeed(figures, of_others, here / there - 1)


def slower_than(phase: PhaseMeasurement, others: Sequence[PhaseMeasurement]) -> list[float] | None:
    """How many times as long reference work took as in each of the others; None if one of the speeds is not known."""
    speeds = [other.speed for other in others]
    if phase.speed is None or any(speed is None or speed.work != phase.speed.work for speed in speeds):
        return None
    return [phase.speed.time_ms / speed.time_ms for speed in speeds if speed is not None]


def _speed(phase: PhaseMeasurement, work: str | None, metric: str) -> MachineSpeed | None:
    speed = phase.speed
    return speed if speed is not None and speed.work == work and metric in speed.figures else None


def _scaled(figure: Interval, by: float) -> Interval:
    high = None if figure.high is None else by * figure.high
    return Interval(value=by * figure.value, low=by * figure.low, high=high)
