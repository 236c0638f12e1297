"""The charts of a run: everything second by second, and how response times are distributed."""

from __future__ import annotations

from typing import Any

from harness.plan.model import Phase
from harness.plan.phases import KINDS
from harness.record.plain_text import plain
from harness.record.summary import Summary
from harness.recording.run import RunRecording
from harness.report.contents import Report, Section
from harness.report.distribution import CURVE, ROWS_PER_DECADE, distributions, range_bounds_ms
from harness.report.endpoints_over_time import HEAT_ROWS_PER_DECADE, endpoints_over_time, heat_step_s
from harness.report.time_series import TimeAxis, busiest_endpoints, errors_over_time, line_charts

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
    """See ``assets/chartkinds.js``, which reads it. ``endpoints[0]`` is all endpoints together."""
    journal, plan = run.journal, run.plan
    axis = TimeAxis(journal)
    bounds = range_bounds_ms(plan)
    ids = busiest_endpoints(journal)
    names = ["All endpoints", *(plain(str(journal.endpoints[endpoint])) for endpoint in ids)]
    endpoints = [
        {"name": name, **over_time, "distributions": distributions(run.phases, endpoint, bounds)}
        for name, endpoint, over_time in zip(names, [None, *ids], endpoints_over_time(journal, ids, axis), strict=True)
    ]
    return {
        "step_s": axis.step_s,
        "points": axis.points,
        "seconds": axis.seconds,
        "phases": _phases(run),
        "limits": _limits(summary),
        "bounds_ms": bounds,
        "endpoints": endpoints,
        "errors": errors_over_time(journal, ids, axis),
        "line_charts": line_charts(journal, run.readings, axis),
        "heat": {"step_s": heat_step_s(axis), "rows_per_decade": HEAT_ROWS_PER_DECADE},
        "distributions": {"rows_per_decade": ROWS_PER_DECADE, "curve": CURVE},
    }


def _phases(run: RunRecording) -> list[dict[str, Any]]:
    return [
        {
            "index": record.index,
            "name": plain(record.plan.name),
            "tone": _tone(record.plan),
            "measured": record.plan.measured,
            "start_s": record.start_s,
            "end_s": record.end_s,
        }
        for record in run.phases
    ]


def _tone(phase: Phase) -> str:
    """A kind's colour follows from its place in the registry."""
    return _TONES[KINDS.index(phase.kind) % len(_TONES)] if phase.kind in KINDS else "grey"


def _limits(summary: Summary) -> list[dict[str, Any]]:
    """The limits of gates on response times, each over the phase that its gate read (or the whole run)."""
    spans = {phase.name: (phase.start_s, phase.end_s) for phase in summary.phases}
    limits: list[dict[str, Any]] = []
    for gate in summary.gates:
        if gate.unit != "ms" or gate.limit is None:
            continue
        start_s, end_s = spans.get(gate.phase or "", (0.0, summary.duration_s))
        endpoint = None if gate.endpoint is None else plain(gate.endpoint)
        limits.append({"ms": gate.limit, "start_s": start_s, "end_s": end_s, "endpoint": endpoint})
    return limits
