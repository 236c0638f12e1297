"""What limits the throughput of a stress or search phase, by the Universal Scalability Law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.record.phase_summary import PhaseSummary
from harness.record.phase_summary import Scalability as Fit
from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Column, Items, Paragraph, table
from harness.report.contents import Report, Section, shown_as_text
from harness.report.formatting import number, percent, rate


class Scalability(Section):
    id = "scalability"
    title = "Scalability"

    def text(self, summary: Summary) -> Sequence[Block]:
        fitted = [phase for phase in summary.phases if phase.scalability is not None]
        if not fitted:
            return ()
        intro = (
            "The Universal Scalability Law, fitted to the steps. Contention is the share of the work that only one "
            "request can do at a time, because of a lock or a core, for example. Coherency is what concurrent requests "
            "cost each other."
        )
        columns: list[Column[PhaseSummary]] = [
            Column("Phase", lambda phase: phase.name, text=True),
            Column("One at a time", lambda phase: rate(_of(phase).rate)),
            Column("Contention", lambda phase: _share(_of(phase).contention, _of(phase).contention_interval)),
            Column("Coherency", lambda phase: _share(_of(phase).coherency, _of(phase).coherency_interval)),
            Column("At once", lambda phase: f"up to {number(_of(phase).most_at_once)}"),
            Column("Peak", _peak, text=True),
            Column("Off by", lambda phase: percent(_of(phase).off)),
        ]
        return [Paragraph(intro), table(columns, fitted)]

    def values(self, report: Report) -> dict[str, Any] | None:
        refused = [
            Cell(f"{phase.name}: {phase.no_scalability.text}")
            for phase in report.summary.phases
            if phase.no_scalability is not None
        ]
        return shown_as_text([*self.text(report.summary), *([Items(refused)] if refused else [])])


def _of(phase: PhaseSummary) -> Fit:
    assert phase.scalability is not None
    return phase.scalability


def _share(value: float, interval: tuple[float, float | None]) -> str:
    low, high = interval
    return f"{percent(value)} [{number(100 * low)}…{'?' if high is None else number(100 * high)}]"


def _peak(phase: PhaseSummary) -> str:
    fit = _of(phase)
    if fit.peak_at_once is None:
        return "beyond what was measured"
    return f"{rate(fit.peak_rps)} with {number(fit.peak_at_once)} at once"
