"""Every endpoint's figures in each phase."""

from __future__ import annotations

from typing import Any

from harness.report.contents import Report, Section
from harness.report.sections.verdict import main_phase
from harness.report.time_series import MOST_ENDPOINTS


class Endpoints(Section):
    id = "endpoints"
    title = "Endpoints"
    template = "endpoints.html"

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.run is None:
            return None
        phases = [phase for phase in report.summary.phases if phase.endpoints]
        main = main_phase(report.summary)
        chosen = main if main in phases else next(iter(phases), None)
        return {"phases": phases, "chosen": chosen}


class OneEndpoint(Section):
    """The selected endpoint. Scripts fill it from the tables, and draw its charts from the data of the timeline."""

    id = "endpoint-section"
    title = ""
    template = "endpoint_section.html"
    scripts = ("endpoint.js",)

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.run is None or not any(phase.endpoints for phase in report.summary.phases):
            return None
        compared = "Build B against build A" if report.summary.duet else "Against the baseline"
        return {"compared": compared, "most": MOST_ENDPOINTS}
