"""The runs that a figure is judged together with: undecided nights in a row, or all runs since a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.comparability import beside_baseline, undecided_row
from harness.analysis.pooled import MOST_NIGHTS, pooled_against
from harness.metrics import run_metric
from harness.metrics.metric import Metric
from harness.record.history import Series, Step
from harness.record.measurement import Interval, Measurement, PhaseMeasurement, UndecidedGate
from harness.recording.recording import Recording


@dataclass(frozen=True, slots=True)
class Nights:
    """One figure of this run and the runs ``earlier``, beside that of the runs ``before`` them."""

    earlier: list[Measurement]
    """The latest first, without this run; those of which more than the figure is known."""
    before: list[Measurement]
    count: int
    """How many runs have the figure, with this one."""
    baseline: float
    figure: Interval
    """With the noise of both sides, at the level of repeated looks (:mod:`harness.analysis.pooled`)."""
    slower: float | None = None
    """At equal speed, by how much the machine was slower than in the baseline; None: as measured, or not known."""


def undecided_nights(
    recording: Recording, phase: PhaseMeasurement, endpoint: str, metric: Metric[Any], gate: UndecidedGate
) -> Nights | None:
    """This run, and the runs before it that have left ``gate`` undecided in a row; None where there are none."""
    beside = beside_baseline(recording, phase, endpoint, metric.name, gate=gate)
    row = undecided_row(recording, [run for run, _ in beside.earlier], gate) if beside else 0
    if beside is None or not row:
        return None
    assert recording.baseline is not None
    ids, figures = zip(*beside.earlier, strict=True)
    nights = min(row, MOST_NIGHTS - 1)
    baseline, figure = pooled_against([beside.observed, *figures[:nights]], figures[row:], metric, beside.noise)
    earlier, before = (
        [run for run in recording.baseline.runs if run.run_id in side] for side in (ids[:nights], ids[row:])
    )
    return Nights(earlier, before, 1 + nights, baseline, figure, beside.slower)


def nights_since(recording: Recording, phase: PhaseMeasurement, series: Series, first: str) -> Nights:
    """The runs of a series from ``first`` on, which is the first at a new level, beside those at the level before."""
    since, old = _around(series, first)
    figures = dict(zip(series.run_ids, series.figures, strict=True))
    metric = run_metric(series.metric)
    baseline, figure = pooled_against([figures[run] for run in since], [figures[run] for run in old], metric)
    kept = recording.past_runs.measured if recording.past_runs else []
    known = {run.run_id: run for run in (*kept, *(recording.baseline.runs if recording.baseline else ()))}
    alike = {run for run, measured in known.items() if (part := measured.like(phase)) and part.traced == phase.traced}
    earlier, before = ([known[run] for run in side if run in alike] for side in (since, old))
    return Nights(earlier, before, len(since), baseline, figure)


def standing(series: Series, *, upwards: bool) -> Step | None:
    """The latest step in that direction that nobody accepted and of which at least half is still there."""
    if not series.steps:
        return None
    sign, now = (1 if upwards else -1), series.steps[-1].level_after
    for step in reversed(series.steps):
        halfway = (step.level_before + step.level_after) / 2
        if step.accepted is None and sign * (step.level_after - step.level_before) > 0 and sign * (now - halfway) >= 0:
            return step
    return None


def explaining(series: Series) -> set[str]:
    """The runs that show together why a series took a step for the worse that still lasts; empty if it took none."""
    worse = [step.level_after > step.level_before for step in series.steps if step.meaning == "worse"]
    step = standing(series, upwards=worse[-1]) if worse else None
    return {run for side in _around(series, step.after.run_id) for run in side} if step else set()


def _around(series: Series, first: str) -> tuple[Sequence[str], Sequence[str]]:
    """The runs from ``first`` on, and those at the level before it, the latest first; not too many of either."""
    at = series.run_ids.index(first)
    begins = [series.run_ids.index(step.after.run_id) for step in series.steps]
    old = max((begin for begin in begins if begin < at), default=0)
    return series.run_ids[at:][::-1][:MOST_NIGHTS], series.run_ids[old:at][::-1][:MOST_NIGHTS]
