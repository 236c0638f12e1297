"""Every endpoint's figures in each phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.record.figures import EndpointFigures
from harness.record.phase_summary import PhaseSummary
from harness.record.summary import Summary
from harness.report.blocks import WIDE, Block, Cell, Column, Paragraph, table
from harness.report.contents import Report, Section
from harness.report.formatting import ms, number, percent, rate
from harness.report.sections.verdict import main_phase
from harness.report.time_series import MOST_ENDPOINTS


class Endpoints(Section):
    id = "endpoints"
    title = "Endpoints"
    template = "endpoints.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        chosen = _chosen(summary)
        if chosen is None:
            return ()
        slowest = sorted(chosen.endpoints, key=lambda endpoint: -(endpoint.response_ms.p95 or 0.0))
        columns: list[Column[EndpointFigures]] = [
            Column("Endpoint", lambda endpoint: f"{endpoint.method} {endpoint.name}".strip(), text=True),
            Column("Requests", lambda endpoint: number(endpoint.requests)),
            Column("Rate", lambda endpoint: rate(endpoint.throughput_rps), from_width=WIDE),
            Column("Errors", lambda endpoint: Cell(percent(endpoint.error_rate), "bad" if endpoint.failures else None)),
            Column("P50", lambda endpoint: ms(endpoint.response_ms.p50), from_width=WIDE),
            Column("P95", lambda endpoint: ms(endpoint.response_ms.p95)),
            Column("P99", lambda endpoint: ms(endpoint.response_ms.p99)),
            Column("Max", lambda endpoint: ms(endpoint.response_ms.max), from_width=WIDE),
        ]
        return [Paragraph(f"In phase {chosen.title}, by P95."), table(columns, slowest, top=True)]

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.run is None:
            return None
        phases = [phase for phase in report.summary.phases if phase.endpoints]
        return {"phases": phases, "chosen": _chosen(report.summary)}


def _chosen(summary: Summary) -> PhaseSummary | None:
    """The phase whose endpoints are shown first."""
    phases = [phase for phase in summary.phases if phase.endpoints]
    main = main_phase(summary)
    return main if main in phases else next(iter(phases), None)


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
