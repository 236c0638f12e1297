"""Every endpoint's figures in each phase."""

from __future__ import annotations

from typing import Any

from harness.report.contents import Report, Section
from harness.report.sections.verdict import main_phase


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
