"""A scenario's figures over its runs, and the steps that they took."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from harness.analysis.change_points import FEWEST, SHORTEST, change_points
from harness.analysis.equal_speed import at_equal_speed
from harness.analysis.run_sets import FLOOR
from harness.metrics import BENCH_METRICS, RUN_METRICS, run_metric
from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.record.changes import Meaning
from harness.record.history import HistoryRun, Series, Step
from harness.record.measurement import BENCHMARKS, Accepted, Interval, Measurement, PhaseMeasurement, phase_title

_SHARE_FLOOR = 0.1
"""Percentage points: the least noise of a share, which may be 0 in every run."""

_Found = tuple[HistoryRun, Interval]
_Speeds = dict[str, float]
"""How long reference work took, in ms, by run."""
_Accepted = Sequence[tuple[Accepted, set[str]]]
"""Each with the runs up to the accepted one, whether or not that counts in a phase."""


def series_of(
    runs: Sequence[tuple[HistoryRun, Measurement]],
    *,
    metrics: Sequence[str] = (),
    accepted: Sequence[Accepted] = (),
    clean: bool = False,
) -> list[Series]:
    """The series of ``metrics``, or of all that comparisons show or gates name, in each place of the latest run.

    ``runs``, the earliest first. A run counts in a phase if it had it with the load of the latest run, was traced if
    that was, and its load generator was not the limit there. With ``clean``, runs in which others took the cores for
    most of a phase are left out of figures that this changes.
    """
    if not runs:
        return []
    ids = [run.run_id for run, _ in runs]
    until = [(entry, set(ids[: ids.index(entry.run_id) + 1])) for entry in accepted if entry.run_id in ids]
    return [
        series
        for phase in runs[-1][1].phases
        for endpoint, metric in _figures(phase, metrics)
        if (series := _of_phase(runs, phase, endpoint, metric, until, clean)) is not None
    ]


def _of_phase(
    runs: Sequence[tuple[HistoryRun, Measurement]],
    phase: PhaseMeasurement,
    endpoint: str,
    metric: Metric[Any],
    accepted: _Accepted,
    clean: bool,
) -> Series | None:
    usable = list(_usable(runs, phase))
    equal = at_equal_speed([phase], [part for _, part in usable], endpoint, metric.name, enough=FEWEST, one_build=False)
    if equal is not None:
        found = [(run, figure) for (run, _), figure in zip(usable, equal.others, strict=True) if figure is not None]
    else:
        found = [
            (run, part.endpoints[endpoint].figures[metric.name])
            for run, part in usable
            if endpoint in part.endpoints and metric.name in part.endpoints[endpoint].figures
            if not (clean and part.too_contaminated and metric.others_matter)
        ]
    speeds = {} if equal is not None else _speeds(usable, phase)
    return _series(phase, endpoint, metric, found, accepted, speeds, equal is not None) if found else None


def _speeds(usable: Sequence[tuple[HistoryRun, PhaseMeasurement]], phase: PhaseMeasurement) -> _Speeds:
    """Of the runs that did the same reference work as the latest."""
    work = phase.speed.work if phase.speed else None
    return {run.run_id: part.speed.time_ms for run, part in usable if part.speed and part.speed.work == work}


def _figures(phase: PhaseMeasurement, metrics: Sequence[str]) -> Iterator[tuple[str, Metric[Any]]]:
    known: Mapping[str, Metric[Any]] = BENCH_METRICS if phase.name == BENCHMARKS else RUN_METRICS
    for endpoint, measured in phase.endpoints.items():
        for name in measured.figures:
            declared = known.get(name)
            usual = name in phase.named or (declared is not None and declared.compared)
            if name in metrics if metrics else usual:
                yield endpoint, declared or run_metric(name, phase.named.get(name, "lower"))


def _usable(
    runs: Sequence[tuple[HistoryRun, Measurement]], phase: PhaseMeasurement
) -> Iterator[tuple[HistoryRun, PhaseMeasurement]]:
    for run, measurement in runs:
        had = measurement.phase(phase.name, phase.variant)
        if had is None or had.generator_limited or had.traced != phase.traced:
            continue
        if not had.goal or had.goal == phase.goal:
            yield run, had


def _series(
    phase: PhaseMeasurement,
    endpoint: str,
    metric: Metric[Any],
    found: Sequence[_Found],
    accepted: _Accepted,
    speeds: _Speeds,
    at_equal_speed: bool,
) -> Series:
    values = [figure.value for _, figure in found]
    begins = new_levels(values, metric)
    ends = [0, *begins, len(found)]
    levels = [float(np.median(values[low:high])) for low, high in pairwise(ends)]
    steps = [
        _step(
            found,
            at,
            levels[number],
            levels[number + 1],
            metric,
            accepted,
            _slower(speeds, found[ends[number] : at], found[at : ends[number + 2]]),
        )
        for number, at in enumerate(begins)
    ]
    return Series(
        phase=phase_title(phase.name, phase.variant),
        endpoint=endpoint,
        metric=metric.name,
        unit=metric.unit.name,
        at_equal_speed=at_equal_speed,
        run_ids=[run.run_id for run, _ in found],
        figures=[figure for _, figure in found],
        steps=steps,
    )


def new_levels(values: Sequence[float], metric: Metric[Any]) -> list[int]:
    """The indices at which a figure of one run each takes a step: as ratios, shares by difference."""
    linear = metric.unit.is_share or metric.unit.is_signed or min(values) <= 0
    if metric.unit.is_share:
        floor = _SHARE_FLOOR
    elif linear:
        floor = FLOOR * max(float(np.median(np.abs(values))), 1e-9)
    else:
        floor = 1e-6 if isinstance(metric.statistic, Exact) else FLOOR
    return change_points(values if linear else [math.log(value) for value in values], floor)


def _step(
    found: Sequence[_Found],
    at: int,
    before: float,
    after: float,
    metric: Metric[Any],
    accepted: _Accepted,
    machine_slower: float | None,
) -> Step:
    if metric.unit.is_share:
        change: float | None = (after - before) / 100
    else:
        change = after / before - 1 if before > 0 else None
    meaning: Meaning = "better" if (after > before) == (metric.better == "higher") else "worse"
    return Step(
        before=found[at - 1][0],
        after=found[at][0],
        level_before=before,
        level_after=after,
        change=change,
        meaning=meaning,
        machine_slower=machine_slower,
        accepted=next((entry for entry, until in accepted if found[at][0].run_id in until), None),
    )


def _slower(speeds: _Speeds, before: Sequence[_Found], after: Sequence[_Found]) -> float | None:
    """By how much longer reference work took after a step than before it; None where that is not known."""
    sides = [[math.log(speeds[run.run_id]) for run, _ in side if run.run_id in speeds] for side in (before, after)]
    if not all(sides):
        return None
    old, new = (float(np.median(side)) for side in sides)
    return math.exp(new - old) - 1


def about_their_steps(series: Sequence[Series], runs: Sequence[HistoryRun]) -> list[Series]:
    """``series`` with each acceptance only at the steps that it is about, for those who read it.

    Whoever accepts a run accepts all its levels, so gates on older steps hold, too. But it is the last step before that
    run, or at it, that was meant: for the worse, if there is one. Steps of other figures that lie so few runs before it
    that a level cannot end between them belong to the same change.
    """
    number = {run.run_id: at for at, run in enumerate(runs)}
    accepted: dict[str, list[Step]] = {}
    for step in (step for one in series for step in one.steps):
        if step.accepted is not None:
            accepted.setdefault(step.accepted.run_id, []).append(step)
    meant: set[int] = set()
    for steps in accepted.values():
        these = [step for step in steps if step.meaning == "worse"] or steps
        last = max(number[step.after.run_id] for step in these)
        meant |= {id(step) for step in these if number[step.after.run_id] > last - SHORTEST}

    def kept(step: Step) -> Step:
        return step if id(step) in meant else step.model_copy(update={"accepted": None})

    return [one.model_copy(update={"steps": [kept(step) for step in one.steps]}) for one in series]
