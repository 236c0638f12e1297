"""The rounds of each benchmark as charts: how long they took, in which order, and how that compares with others."""

from __future__ import annotations

from typing import Any

from harness.report.contents import Report
from harness.report.round_data import round_data
from harness.report.section import Section


class RoundCharts(Section):
    id = "rounds"
    title = "Rounds"
    template = "rounds.html"
    scripts = ("plots.js", "rounds.js")

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.suite is None:
            return None
        compared = any(row.change is not None for row in report.summary.benchmarks)
        return {"data": round_data(report.suite, report.summary), "compared": compared}
