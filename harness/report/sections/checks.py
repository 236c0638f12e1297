"""The scenario's checks: how many passed in each phase; and the figures that its ``verify`` found."""

from __future__ import annotations

from collections.abc import Sequence

from harness.metrics.formatting import number
from harness.record.measurement import phase_title
from harness.record.summary import CheckFigures, Summary
from harness.report.blocks import WIDE, Block, Cell, Column, Items, Paragraph, table
from harness.report.contents import Section
from harness.report.formatting import in_unit, interval
from harness.report.formatting import number as count


class Checks(Section):
    id = "checks"
    title = "Checks"

    def text(self, summary: Summary) -> Sequence[Block]:
        # Those that fail first.
        checks = sorted(summary.checks, key=lambda check: (not check.failed, check.share))
        blocks: list[Block] = [table(_columns(checks), checks, top=True)] if checks else []
        why = [
            Cell(f"{check.name} in {phase_title(check.phase, check.variant)}: {', or '.join(check.samples)}", "dim")
            for check in checks
            if check.samples
        ]
        blocks += [Items(why)] if why else []
        if summary.figures:
            found = ", ".join(f"{name} {number(value)}" for name, value in summary.figures.items())
            blocks.append(Paragraph(f"verify found: {found}."))
        return blocks


def _columns(checks: Sequence[CheckFigures]) -> list[Column[CheckFigures]]:
    several = len({(check.phase, check.variant) for check in checks}) > 1
    return [
        Column("Check", lambda check: check.name, text=True),
        Column("Phase", lambda check: phase_title(check.phase, check.variant), text=True, shown=several),
        Column("Passed", lambda check: count(check.passed)),
        Column("Failed", lambda check: Cell(count(check.failed), "bad" if check.failed else None)),
        Column("Share", lambda check: in_unit(100 * check.share, "%")),
        Column(
            "95 % interval",
            lambda check: interval((100 * check.interval[0], 100 * check.interval[1]), "%"),
            from_width=WIDE,
        ),
    ]
