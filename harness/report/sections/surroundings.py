"""The statements that took a database's time in each measured phase."""

from __future__ import annotations

from typing import Any

from harness.analysis.database_statements import Statement, statements_in
from harness.metrics.formatting import number
from harness.record.plain_text import plain
from harness.report.blocks import Block, Cell, Column, Paragraph, table
from harness.report.contents import Report, Section, shown_as_text
from harness.report.formatting import seconds

_MOST = 10
_LONGEST = 300


class Surroundings(Section):
    id = "statements"
    title = "Statements in the database"

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.run is None:
            return None
        blocks: list[Block] = []
        for record in report.run.phases:
            requests = sum(part.requests for part in record.totals)
            for source, found in statements_in(record, report.run).items():
                if record.plan.measured and found:
                    total_ms = sum(statement.total_ms for statement in found)
                    took = f"{len(found)} statements took {seconds(total_ms / 1000)}"
                    intro = f"{source} in phase {record.plan.name}: {took}."
                    blocks += [Paragraph(plain(intro)), table(_columns(total_ms, requests), found[:_MOST])]
        return shown_as_text(blocks)


def _columns(total_ms: float, requests: int) -> list[Column[Statement]]:
    return [
        Column("Statement", lambda statement: Cell(plain(statement.text[:_LONGEST])), text=True),
        Column("Share", lambda statement: f"{100 * statement.total_ms / total_ms:.0f} %" if total_ms else "–"),
        Column("Time", lambda statement: seconds(statement.total_ms / 1000)),
        Column("Mean", lambda statement: seconds(statement.mean_ms / 1000)),
        Column("Calls", lambda statement: f"{statement.calls:,.0f}"),
        Column("Calls/request", lambda statement: number(statement.calls / requests), shown=requests > 0),
        Column("Rows/call", lambda statement: number(statement.rows / statement.calls)),
    ]
