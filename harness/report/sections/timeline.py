"""The run over time: load, response times, errors and resources, second by second."""

from __future__ import annotations

from typing import Any

from harness.report.chart_data import chart_data
from harness.report.contents import Report
from harness.report.section import Section


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
