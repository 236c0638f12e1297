"""Build B of a duet beside build A: every change with its interval, and what noise alone looked like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.metrics.formatting import title
from harness.record.changes import Change
from harness.record.summary import Summary
from harness.report.blocks import WIDE, Block, Cell, Column, Paragraph, table
from harness.report.contents import Report, Section
from harness.report.formatting import counted, in_unit
from harness.report.sections.baseline import interval_of, relative

_WIDTH = 220
"""Of an interval's drawing, in CSS pixels."""
_WIDEST = 0.5
"""Changes beyond this (and beyond its negative) are drawn at the edge."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where an interval, its change and zero are drawn, in pixels from the left."""

    low: float
    middle: float
    high: float
    beyond: int = 0
    """1 or -1 if the change lies to the right or left of the drawing, 0 if in it."""
    zero: float = _WIDTH / 2
    width: float = _WIDTH


class Builds(Section):
    id = "builds"
    title = "B against A"
    template = "duet.html"
    brief = True

    def text(self, summary: Summary) -> Sequence[Block]:
        if summary.duet is None:
            return ()
        rows = [row for row in summary.changes if row.endpoint is None or row.meaning != "no clear change"]
        columns: list[Column[Change]] = [
            Column("Change", lambda row: Cell(relative(row, row.change), "bad" if row.meaning == "worse" else None)),
            Column("95 % interval", interval_of),
            Column("Figure", lambda row: title(row.metric), text=True),
            Column("Endpoint", lambda row: row.endpoint or "all endpoints", text=True),
            Column("Phase", lambda row: row.phase, text=True, from_width=WIDE),
            Column("A", lambda row: in_unit(row.baseline, row.unit), from_width=WIDE),
            Column("B", lambda row: in_unit(row.observed, row.unit), from_width=WIDE),
        ]
        return [Paragraph(builds(summary)), *([table(columns, rows)] if rows else []), Paragraph(noise(summary))]

    def values(self, report: Report) -> dict[str, Any] | None:
        summary = report.summary
        if summary.duet is None:
            return None
        ends = [abs(end) for row in summary.changes for end in row.interval or () if end is not None]
        widest = min(_WIDEST, max(ends, default=_WIDEST))
        return {
            "builds": builds(summary),
            "noise": noise(summary),
            "rows": [(row, _span(row, widest)) for row in summary.changes],
            "own": [(row, _span(row, widest)) for row in summary.duet.self_changes],
            "widest": f"{100 * widest:.3g} %",
            "title": title,
            "relative": relative,
            "interval_of": interval_of,
        }


def builds(summary: Summary) -> str:
    """What was compared, and how often."""
    assert summary.duet is not None
    duet = summary.duet
    starts = f", each started {duet.starts} times" if duet.starts > 1 else ""
    how = "They served the same arrivals side by side" if duet.side_by_side else "They took turns"
    return f"A is {duet.a}; B is {duet.b}{starts}. {how}: {counted(duet.blocks, 'block')} of four turns each."


def noise(summary: Summary) -> str:
    """What build A beside itself shows."""
    assert summary.duet is not None
    if not summary.duet.self_changes:
        return "There were too few turns to compare build A with itself."
    moved = [title(row.metric) for row in summary.duet.self_changes if row.meaning != "no clear change"]
    if not moved:
        return "Build A compared with itself shows no change, as expected."
    return f"Build A compared with itself differs in {', '.join(moved)}: the machine was too noisy for small changes."


def _span(row: Change, widest: float) -> Span:
    def at(value: float | None) -> float:
        inside = max(-1.0, min(1.0, (value if value is not None else widest) / widest))
        return round(_WIDTH / 2 * (1 + 0.96 * inside), 1)

    low, high = row.interval or (row.change or 0.0, row.change or 0.0)
    change = row.change or 0.0
    return Span(at(low), at(change), at(high), (change > widest) - (change < -widest))
