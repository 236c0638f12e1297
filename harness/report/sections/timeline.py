"""The charts of a run: everything second by second, and how response times are distributed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.analysis.contamination import spans_of
from harness.plan.duet import B
from harness.plan.model.phase import Phase
from harness.plan.model.run import RunPlan
from harness.plan.phases import KINDS
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram, highest_of
from harness.record.measurement import ONLY
from harness.record.plain_text import plain
from harness.record.summary import Summary
from harness.recording.run import PhaseRecord, RunRecording
from harness.report.behind import behind
from harness.report.contents import Report, Section
from harness.report.endpoints_over_time import HEAT_ROWS_PER_DECADE, endpoints_over_time, heat_step_s, log_rows
from harness.report.series_over_time import series_charts
from harness.report.time_series import TimeAxis, busiest_endpoints, errors_over_time, line_charts, rounded

_TONES = ("sky", "green", "orange", "red", "grey", "blue", "purple")


class Timeline(Section):
    id = "charts"
    title = "Over time"
    template = "charts.html"
    scripts = ("plots.js", "chartkinds.js", "charts.js")

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.run is None:
            return None
        has_load = any(len(second.table) for second in report.run.journal.seconds)
        return {"data": chart_data(report.run, report.summary), "has_load": has_load}


class ResponseTimes(Section):
    """How response times are distributed, by phase and endpoint. Draws from the data of the timeline."""

    id = "response-times"
    title = "Response times"
    template = "response_times.html"

    def values(self, report: Report) -> dict[str, Any] | None:
        run = report.run
        return {} if run is not None and any(len(second.table) for second in run.journal.seconds) else None


def chart_data(run: RunRecording, summary: Summary) -> dict[str, Any]:
    """See ``assets/chartkinds.js``, which reads it. ``endpoints[0]`` is all endpoints together.

    Of a duet, all of it is build B's, with build A's lines ``behind`` it.
    """
    journal, plan = run.journal, run.plan
    axis = TimeAxis(journal)
    bounds = range_bounds_ms(plan)
    variant = B if plan.is_duet else ONLY
    records = [record for record in run.phases if record.variant == variant]
    ids = busiest_endpoints(journal, variant)
    own = [number for number, endpoint in journal.endpoints.items() if endpoint.variant == variant]
    over_time = endpoints_over_time(journal, ids, axis, own if plan.is_duet else None)
    endpoints = [
        {"name": name, **figures, "behind": lines, "distributions": distributions(records, endpoint, bounds)}
        for name, endpoint, figures, lines in zip(
            ["All endpoints", *(plain(str(journal.endpoints[endpoint])) for endpoint in ids)],
            [None, *ids],
            over_time,
            behind(run, ids, axis),
            strict=True,
        )
    ]
    return {
        "step_s": axis.step_s,
        "points": axis.points,
        "seconds": axis.seconds,
        "phases": _phases(records),
        "behind": "build A" if plan.is_duet else "baseline",
        "contaminated": spans_of(
            second for phase in summary.phases if phase.contamination for second in phase.contamination.seconds
        ),
        "faults": _faults(summary),
        "limits": _limits(summary),
        "bounds_ms": bounds,
        "endpoints": endpoints,
        "errors": errors_over_time(journal, ids, axis, variant),
        "line_charts": [*line_charts(journal, run.readings, axis), *series_charts(run, axis)],
        "heat": {"step_s": heat_step_s(axis), "rows_per_decade": HEAT_ROWS_PER_DECADE},
        "distributions": {"rows_per_decade": ROWS_PER_DECADE, "curve": CURVE},
    }


def _phases(records: Sequence[PhaseRecord]) -> list[dict[str, Any]]:
    return [
        {
            "index": record.index,
            "name": plain(record.plan.name),
            "tone": _tone(record.plan),
            "measured": record.plan.measured,
            "start_s": record.start_s,
            "end_s": record.end_s,
        }
        for record in records
    ]


def _faults(summary: Summary) -> list[dict[str, Any]]:
    """Each fault from its start to its end, and until the target had recovered (``back_s``)."""
    return [
        {
            "name": plain(fault.name),
            "start_s": fault.start_s,
            "end_s": summary.duration_s if fault.end_s is None else fault.end_s,
            "back_s": None if fault.end_s is None or not fault.recovered else fault.end_s + (fault.recovery_s or 0.0),
        }
        for fault in summary.faults
    ]


def _tone(phase: Phase) -> str:
    """A kind's colour follows from its place in the registry."""
    return _TONES[KINDS.index(phase.kind) % len(_TONES)] if phase.kind in KINDS else "grey"


def _limits(summary: Summary) -> list[dict[str, Any]]:
    """The limits of gates on response times, each over the phase or the fault that its gate read (or the whole run)."""
    spans = {phase.name: (phase.start_s, phase.end_s) for phase in summary.phases}
    of_faults = {fault["name"]: (fault["start_s"], fault["end_s"]) for fault in _faults(summary)}
    limits: list[dict[str, Any]] = []
    for gate in summary.gates:
        if gate.unit != "ms" or gate.limit is None:
            continue
        start_s, end_s = spans.get(gate.phase or "", (0.0, summary.duration_s))
        if gate.fault is not None:
            start_s, end_s = of_faults.get(plain(gate.fault), (start_s, end_s))
        endpoint = None if gate.endpoint is None else plain(gate.endpoint)
        limits.append({"ms": gate.limit, "start_s": start_s, "end_s": end_s, "endpoint": endpoint})
    return limits


ROWS_PER_DECADE = 40

CURVE = (
    0.0,
    *(step / 20 for step in range(1, 18)),
    0.9,
    0.925,
    0.95,
    0.97,
    0.98,
    0.99,
    0.995,
    0.998,
    0.999,
    0.9995,
    0.9999,
    1.0,
)
"""The shares at which the percentile curve is drawn."""

_DEFAULT_BOUNDS_MS = (800.0, 1200.0)


def range_bounds_ms(plan: RunPlan) -> tuple[float, float]:
    """The bounds between fast, tolerable and slow responses.

    They are half the tightest limit of a gate on a response time, and that limit; without one 800 and 1,200 ms, as in
    Gatling.
    """
    limits = [
        gate.comparison.value
        for gate in plan.gates
        if gate.comparison.unit == "ms" and gate.comparison.is_upper
        if not gate.comparison.baseline and gate.comparison.fault is None
    ]
    return (min(limits) / 2, min(limits)) if limits else _DEFAULT_BOUNDS_MS


def distributions(
    records: Sequence[PhaseRecord], endpoint: int | None, bounds_ms: tuple[float, float]
) -> dict[str, Any]:
    """What :func:`_distribution` returns, by phase (its index as text; ``measured``: all measured phases together).

    A phase without requests is missing. ``endpoint`` None stands for all endpoints.
    """
    by_phase: defaultdict[str, list[EndpointSecond]] = defaultdict(list)
    for record in records:
        parts = [part for part in record.totals if endpoint in (None, part.endpoint)]
        for name in (str(record.index), "measured") if record.plan.measured else (str(record.index),):
            by_phase[name] += parts
    return {phase: _distribution(parts, bounds_ms) for phase, parts in by_phase.items() if parts}


def _distribution(parts: list[EndpointSecond], bounds_ms: tuple[float, float]) -> dict[str, Any]:
    """``ranges``: counts of successful requests below the first bound, between both, above; and of failed requests.

    ``ok`` and ``failed`` are flat lists of row, count … on a logarithmic scale. ``curve`` and, in the open model,
    ``service`` are milliseconds at the shares of :data:`CURVE`.
    """
    response = Histogram.merged([part.response for part in parts])
    failed = Histogram.merged([part.failed for part in parts])
    ok = response.minus(failed)
    highest_ms = highest_of(ok.indices) / 1000
    below = [int(ok.counts[highest_ms < bound].sum()) for bound in bounds_ms]
    figures: dict[str, Any] = {
        "ranges": [below[0], below[1] - below[0], ok.count - below[1], failed.count],
        "ok": _rows(ok),
        "failed": _rows(failed),
        "curve": _curve(response),
    }
    if any(part.service is not part.response for part in parts):
        figures["service"] = _curve(Histogram.merged([part.service for part in parts]))
    return figures


def _rows(histogram: Histogram) -> list[int]:
    counts = np.bincount(log_rows(histogram.indices, ROWS_PER_DECADE), weights=histogram.counts).astype(np.int64)
    filled = np.flatnonzero(counts)
    flat: list[int] = np.stack([filled, counts[filled]], axis=1).ravel().tolist()
    return flat


def _curve(histogram: Histogram) -> list[float | None]:
    return rounded(histogram.quantile_us(share) / 1000 for share in CURVE)
