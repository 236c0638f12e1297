"""The functions that cost the target more CPU than in the baseline: where to look first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.record.summary import Summary, Suspect
from harness.report.blocks import Block, Cell, Column, Paragraph, table
from harness.report.contents import Report, Section
from harness.report.formatting import percent, points


class Suspects(Section):
    id = "suspects"
    title = "Suspects"
    template = "suspects.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        if not summary.suspects:
            return ()
        columns: list[Column[Suspect]] = [
            Column("Change", lambda suspect: points(suspect.change)),
            Column("Function", lambda suspect: suspect.function, text=True),
            Column("Location", lambda suspect: Cell(_location(suspect), "dim"), text=True),
            Column("Build A" if summary.duet else "Baseline", lambda suspect: percent(suspect.share_baseline)),
            Column("Build B" if summary.duet else "This run", lambda suspect: percent(suspect.share_run)),
            Column("Called by", lambda suspect: " ← ".join(suspect.callers) or "–", text=True, from_width=120),
        ]
        return [Paragraph(_intro(summary)), table(columns, summary.suspects, top=True)]

    def values(self, report: Report) -> dict[str, Any] | None:
        return {"intro": _intro(report.summary)} if report.summary.suspects else None


def _intro(summary: Summary) -> str:
    if summary.duet:
        return "Functions whose share of CPU samples is larger in build B than in build A."
    return "Functions whose share of the target's CPU samples grew against the baseline."


def _location(suspect: Suspect) -> str:
    return f"{suspect.file}:{suspect.line}" if suspect.line else suspect.file
