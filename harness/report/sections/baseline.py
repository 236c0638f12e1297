"""Each figure beside the baseline's: the change, its interval and what it means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from harness.analysis.changes import left_out
from harness.metrics.formatting import speed_change, title
from harness.record.changes import Change, Difference
from harness.record.summary import Summary
from harness.report.blocks import WIDE, Block, Cell, Column, Paragraph, table
from harness.report.contents import Report, Section
from harness.report.formatting import change, counted, in_unit, points
from harness.report.sections.verdict import main_phase


class BaselineChanges(Section):
    id = "baseline"
    title = "Baseline"
    template = "baseline.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        if not summary.changes or summary.duet:
            return ()
        worse, better = (_with_meaning(summary.changes, meaning) for meaning in ("worse", "better"))
        are = "is" if len(worse) == 1 else "are"
        counts = f"Of {counted(len(summary.changes), 'figure')}, {len(worse)} {are} worse and {len(better)} better."
        about = [Paragraph(counts), *map(Paragraph, at_equal_speed(summary.changes))]
        if not worse and not better:
            return about
        is_run = summary.kind == "run"
        columns: list[Column[Change]] = [
            Column("Change", lambda row: Cell(relative(row, row.change), "bad" if row.meaning == "worse" else None)),
            Column("95 % interval", interval_of, from_width=WIDE),
            Column("Figure", lambda row: title(row.metric), text=True),
            Column("Endpoint" if is_run else "Benchmark", lambda row: row.endpoint or "all endpoints", text=True),
            Column("Phase", lambda row: row.phase, text=True, shown=is_run),
            Column("Baseline", lambda row: in_unit(row.baseline, row.unit)),
            Column("This run", lambda row: in_unit(row.observed, row.unit)),
        ]
        return [*about, table(columns, [*worse, *better], top=True)]

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.summary.duet:
            return None
        changes = report.summary.changes
        main = main_phase(report.summary)
        return {
            "baseline": report.recording.baseline,
            "phases": _by_phase(changes),
            "main": main.name if main else None,
            "worse": len(_with_meaning(changes, "worse")),
            "better": len(_with_meaning(changes, "better")),
            "at_equal_speed": at_equal_speed(changes),
            "left_out": left_out(report.recording),
            "what": "Endpoint" if report.run else "Benchmark",
            "title": title,
            "relative": relative,
            "interval_of": interval_of,
        }


def relative(row: Difference, value: float | None) -> str:
    """A change of ``row``: relative, or of a share in percentage points."""
    if value is None and row.baseline == 0 and row.observed:
        return "from 0"
    return points(value) if row.unit == "%" else change(value)


def size(row: Difference) -> float:
    """To sort by: the largest change first, and any from 0 before that."""
    return -math.inf if row.change is None else -abs(row.change)


def interval_of(row: Difference) -> str:
    """The interval of the change."""
    if row.interval is None:
        return "–"
    low, high = row.interval
    return f"{relative(row, low)} … {'?' if high is None else relative(row, high)}"


def at_equal_speed(rows: Sequence[Difference]) -> list[str]:
    """For each phase, which figures are compared at equal machine speed, and how the machine itself differed."""
    found: dict[str, str] = {}
    for row in rows:
        if row.machine_slower is not None:
            compared = f"{title(row.metric)} in {row.phase} is compared at equal machine speed"
            found.setdefault(row.phase, f"{compared}{speed_change(row.machine_slower)}.")
    return [*found.values()]


def _with_meaning(rows: Sequence[Change], meaning: str) -> list[Change]:
    """Those rows, the largest change first."""
    return sorted((row for row in rows if row.meaning == meaning), key=size)


def _by_phase(rows: Sequence[Change]) -> dict[str, list[Change]]:
    phases: dict[str, list[Change]] = {}
    for row in rows:
        phases.setdefault(row.phase, []).append(row)
    return phases
