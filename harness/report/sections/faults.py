"""What was broken on purpose: when, what the requests under it did, and how the target recovered."""

from __future__ import annotations

from collections.abc import Sequence

from harness.record.fault_report import FaultReport
from harness.record.plain_text import plain
from harness.record.summary import Summary
from harness.report.blocks import WIDE, Block, Cell, Column, Items, table
from harness.report.contents import Section
from harness.report.formatting import NONE, duration, in_unit, ms, number, percent


class Faults(Section):
    id = "faults"
    title = "Faults"
    brief = True

    def text(self, summary: Summary) -> Sequence[Block]:
        faults = summary.faults
        if not faults:
            return ()
        columns: list[Column[FaultReport]] = [
            Column("Fault", lambda fault: Cell(plain(fault.name), "bad" if _went_wrong(fault) else None), text=True),
            Column("Kind", lambda fault: plain(fault.kind), text=True, from_width=WIDE),
            Column("Phase", lambda fault: plain(fault.phase), text=True, from_width=WIDE),
            Column("From", lambda fault: in_unit(round(fault.start_s, 1), "s")),
            Column("For", _length),
            Column("Requests", lambda fault: number(fault.requests)),
            Column("Errors", lambda fault: Cell(percent(fault.error_rate), "bad" if fault.failures else None)),
            Column("P95", lambda fault: ms(fault.p95_ms)),
            Column("Recovered after", recovered),
        ]
        conditions = {fault.name: fault.recovery_condition for fault in faults if fault.recovery_condition}
        warned = {notice.text for notice in summary.notices}
        wrong = [
            Cell(f"{plain(fault.name)}: {fault.problem.text}", "bad")
            for fault in faults
            if fault.problem is not None and fault.problem.text not in warned
        ]
        meant = [
            Cell(f"{plain(name)}: recovered means {condition}, as before it", "dim")
            for name, condition in conditions.items()
        ]
        return [table(columns, faults), *([Items([*wrong, *meant])] if wrong or meant else [])]


def recovered(fault: FaultReport) -> str | Cell:
    """How long the target took, with the interval: ``3.2 s (2.2 … 3.2 s)``."""
    if fault.recovery_s is None or fault.recovery_interval_s is None:
        return NONE
    seen = in_unit(round(fault.recovery_s, 1), "s")
    if not fault.recovered:
        return Cell(f"not in {seen}", "bad")
    low, high = fault.recovery_interval_s
    ends = f"{number(round(low, 1))} … {'?' if high is None else number(round(high, 1))}"
    return f"{seen} ({ends})"


def _length(fault: FaultReport) -> str | Cell:
    return Cell("never undone", "bad") if fault.end_s is None else duration(round(fault.end_s - fault.start_s, 2))


def _went_wrong(fault: FaultReport) -> bool:
    return fault.end_s is None or fault.problem is not None
