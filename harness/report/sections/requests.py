"""What traced requests did in the target: statements, time by kind, the slowest as waterfalls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.statements import in_words
from harness.record.endpoint_statements import EndpointStatements
from harness.record.measurement import phase_title
from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Column, Items, table
from harness.report.contents import Report, Section
from harness.report.formatting import ms, number
from harness.report.span_statements import span_statements
from harness.report.waterfalls import waterfalls

KINDS = {
    "own": "Own code",
    "database": "Database",
    "cache": "Cache",
    "downstream": "Other services",
    "pool": "Waiting for a connection",
    "outside": "Queue and network",
}


class Requests(Section):
    id = "requests"
    title = "Inside requests"
    template = "requests.html"
    scripts = ("profiles.js", "spantables.js", "statements.js")

    def text(self, summary: Summary) -> Sequence[Block]:
        entries = _gated(summary)
        if not entries:
            return ()
        several = len({entry.phase for entry in entries}) > 1
        columns: list[Column[EndpointStatements]] = [
            Column(
                "Phase", lambda entry: Cell(phase_title(entry.phase, entry.variant), "dim"), text=True, shown=several
            ),
            Column("Endpoint", lambda entry: entry.endpoint, text=True),
            Column("Traced", lambda entry: number(entry.requests), from_width=100),
            Column("Statements", statements),
            *(_time_column(kind, entries) for kind in KINDS),
        ]
        found = [Cell(f"{words}: {entry.repeated[0].text}") for entry in entries if (words := in_words(entry))]
        return [table(columns, entries, top=True), *([Items(found)] if found else [])]

    def values(self, report: Report) -> dict[str, Any] | None:
        summary = report.summary
        if not summary.statements or report.run is None:
            return None
        phases: dict[str, list[EndpointStatements]] = {}
        for entry in summary.statements:
            phases.setdefault(phase_title(entry.phase, entry.variant), []).append(entry)
        gated = {phase_title(entry.phase, entry.variant) for entry in _gated(summary)}
        return {
            "data": span_statements(report.run),
            "phases": phases,
            "open": gated,
            "kinds": {kind: title for kind, title in KINDS.items() if _shown(kind, summary.statements)},
            "waterfalls": waterfalls(report.run),
            "in_words": in_words,
            "statements": statements,
        }


def _gated(summary: Summary) -> list[EndpointStatements]:
    """Those of measured phases, if any was traced in one; else all."""
    measured = {(phase.name, phase.variant) for phase in summary.phases if phase.measured}
    found = [entry for entry in summary.statements if (entry.phase, entry.variant) in measured]
    return found or summary.statements


def _time_column(kind: str, entries: Sequence[EndpointStatements]) -> Column[EndpointStatements]:
    return Column(
        KINDS[kind], lambda entry: ms(entry.time_by_kind_ms[kind]), from_width=90, shown=_shown(kind, entries)
    )


def _shown(kind: str, entries: Sequence[EndpointStatements]) -> bool:
    return any(entry.time_by_kind_ms.get(kind) for entry in entries)


def statements(entry: EndpointStatements) -> str:
    return number(entry.statements_per_request)
