"""What each gate requires, what was observed, and whether it passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.messages import message
from harness.record.gate_result import GateResult, GateStatus
from harness.record.summary import Summary
from harness.report.blocks import WIDE, Block, Cell, Column, Items, Paragraph, table
from harness.report.contents import Report, Section
from harness.report.formatting import in_unit, interval
from harness.report.sections.verdict import generator_limits

ORDER: tuple[GateStatus, ...] = ("fail", "inconclusive", "pass")
_WITH_INTERVALS = 70
"""Terminals of this many characters have room for intervals, which the reasons give, too."""


_SEEN_IN_ROW = ("gate-over-limit", "gate-under-limit")
"""Reasons that a row of the page shows by its figures."""


_WITH_REASON = ("explain-contract", "explain-invariant")
"""Explanations that begin with the reason of their gate."""


class Gates(Section):
    id = "gates"
    title = "Gates"
    brief = True
    template = "gates.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        gates = _worst_first(summary.gates)
        if not gates:
            return [Paragraph("No gate was judged.")]
        columns: list[Column[GateResult]] = [
            Column("Status", lambda gate: Cell(gate.status, gate.status), text=True),
            Column("Gate", lambda gate: gate.asked, text=True),
            Column("Phase", lambda gate: gate.phase or "whole run", text=True, shown=any(g.phase for g in gates)),
            Column("Observed", observed),
            Column("95 % interval", lambda gate: interval(gate.interval, gate.unit), from_width=_WITH_INTERVALS),
            Column("Limit", lambda gate: in_unit(gate.limit, gate.unit)),
            Column(
                "Baseline",
                lambda gate: in_unit(gate.baseline, gate.unit),
                from_width=WIDE,
                shown=any(gate.baseline is not None for gate in gates),
            ),
        ]
        reasons = _reasons(gates, summary)
        notes = [Paragraph(note) for note in _notes(gates)]
        return [table(columns, gates), *notes, *([Items(reasons)] if reasons else [])]

    def values(self, report: Report) -> dict[str, Any]:
        gates = report.summary.gates
        return {
            "gates": _worst_first(gates),
            "counts": {status: sum(gate.status == status for gate in gates) for status in ORDER},
            "with_phases": report.run is not None,
            "with_baseline": any(gate.baseline is not None for gate in gates),
            "planned": bool(report.recording.plan.gates),
            "observed": observed,
            "notes": _notes(gates),
            "why": lambda gate: "" if gate.code in _SEEN_IN_ROW else _why(gate, report.summary),
        }


def observed(gate: GateResult) -> str:
    """The figure, with a mark where it is not that of the whole phase, or not of this run alone."""
    several = f" ({gate.runs} runs)" if gate.runs > 1 else ""
    return f"{in_unit(gate.observed, gate.unit)}{'*' if gate.seconds_left_out else ''}{several}"


def _notes(gates: Sequence[GateResult]) -> list[str]:
    """What the marks of :func:`observed` mean."""
    left_out = {gate.phase: gate.seconds_left_out for gate in gates if gate.seconds_left_out}
    where = " and ".join(f"{seconds} s of {phase}" for phase, seconds in left_out.items())
    return [f"* without {where}, in which other processes took the cores"] if where else []


def _why(gate: GateResult, summary: Summary) -> str:
    """The reason, where neither the figures of a passed gate nor a cause or a warning give it."""
    if gate.status == "pass" and gate.observed is not None:
        return ""
    if any(gate.require in each.gates and each.what.code in _WITH_REASON for each in summary.explanations):
        return str(message("gate-explained"))
    warned = {(notice.code, notice.params.get("phase")) for notice in summary.notices}
    if gate.code == "gate-contaminated" and ("phase-too-contaminated", gate.phase) in warned:
        return str(message("gate-contaminated-as-warned"))
    if gate.code == "gate-generator-limited" and gate.params["why"] in generator_limits(summary):
        return str(message("gate-generator-as-explained"))
    return gate.reason


def _worst_first(gates: Sequence[GateResult]) -> list[GateResult]:
    return sorted(gates, key=lambda gate: ORDER.index(gate.status))


def _reasons(gates: Sequence[GateResult], summary: Summary) -> list[Cell]:
    """Why gates did not pass; gates that share a reason are one item."""
    by_reason: dict[str, list[GateResult]] = {}
    for gate in gates:
        if gate.status != "pass" and gate.reason:
            by_reason.setdefault(_why(gate, summary), []).append(gate)
    return [Cell(f"{_named(same)}: {reason}", same[0].status) for reason, same in by_reason.items()]


def _named(gates: Sequence[GateResult]) -> str:
    first = gates[0].asked + (f" in {gates[0].phase}" if gates[0].phase else "")
    return first if len(gates) == 1 else f"{first} and {len(gates) - 1} more"
