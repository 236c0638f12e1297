"""The functions that cost the target more CPU than in the baseline: where to look first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.record.changes import Suspect
from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Column, Paragraph, table
from harness.report.contents import Report, Section
from harness.report.formatting import seconds


class Suspects(Section):
    id = "suspects"
    title = "Suspects"
    template = "suspects.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        if not any((summary.suspects, summary.candidates, summary.profile_notes)):
            return ()
        columns: list[Column[Suspect]] = [
            Column("Growth", growth),
            Column("Function", lambda suspect: suspect.function, text=True),
            Column("Location", lambda suspect: Cell(_location(suspect), "dim"), text=True),
            Column("Build A" if summary.duet else "Baseline", lambda suspect: _ms(suspect.cpu_ms_baseline)),
            Column("Build B" if summary.duet else "This run", lambda suspect: _ms(suspect.cpu_ms_run)),
            Column("Inside", lambda suspect: suspect.inside or "–", text=True, from_width=120),
            Column("Called by", lambda suspect: " ← ".join(suspect.callers) or "–", text=True, from_width=150),
        ]
        blocks: list[Block] = []
        for intro, found in _groups(summary):
            blocks += [Paragraph(intro), table(columns, found, top=True)]
        return blocks + [Paragraph(f"{note.text[:1].upper()}{note.text[1:]}.") for note in summary.profile_notes]

    def values(self, report: Report) -> dict[str, Any] | None:
        summary = report.summary
        if not any((summary.suspects, summary.candidates, summary.profile_notes)):
            return None
        groups = _groups(summary)
        most_ms = max((suspect.cpu_ms_run for _, found in groups for suspect in found), default=0.0) or 1.0
        return {"groups": groups, "most_ms": most_ms, "growth": growth, "interval": _interval, "cpu": _ms}


def _groups(summary: Summary) -> list[tuple[str, list[Suspect]]]:
    """Suspects and candidates, each with an introduction; empty groups are left out."""
    than = "in build A" if summary.duet else "in the baseline"
    sure = f"Functions that use more CPU time per request than {than}."
    likely = "Functions that are likely to use more; about one in ten is named by chance."
    return [(intro, found) for intro, found in ((sure, summary.suspects), (likely, summary.candidates)) if found]


def growth(suspect: Suspect) -> str:
    """By how much CPU time per request it grew."""
    return f"+{_ms(suspect.cpu_ms_run - suspect.cpu_ms_baseline)}"


def _interval(suspect: Suspect) -> str:
    if suspect.cpu_ms_growth is None:
        return ""
    low, high = suspect.cpu_ms_growth
    return f"95 % interval {_ms(max(0.0, low))} … {_ms(high)}"


def _ms(value: float) -> str:
    return seconds(value / 1000)


def _location(suspect: Suspect) -> str:
    return f"{suspect.file}:{suspect.line}" if suspect.line else suspect.file
