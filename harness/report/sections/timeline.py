"""The charts of a run: everything second by second, and how response times are distributed."""

from __future__ import annotations

from typing import Any

from harness.report.chart_data import chart_data
from harness.report.contents import Report, Section


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
