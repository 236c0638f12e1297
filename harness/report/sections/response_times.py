"""How response times are distributed, by phase and endpoint. Draws from the data of the timeline."""

from __future__ import annotations

from typing import Any

from harness.report.contents import Report
from harness.report.section import Section


class ResponseTimes(Section):
    id = "response-times"
    title = "Response times"
    template = "response_times.html"

    def values(self, report: Report) -> dict[str, Any] | None:
        run = report.run
        return {} if run is not None and any(len(second.table) for second in run.journal.seconds) else None
