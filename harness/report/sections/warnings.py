"""What could not be sampled, checked or kept. The HTML page lists warnings under the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Items
from harness.report.contents import Report
from harness.report.section import Section


class Warnings(Section):
    id = "warnings"
    title = "Warnings"

    def text(self, summary: Summary) -> Sequence[Block]:
        warnings = [Cell(warning, "warning") for warning in dict.fromkeys(summary.warnings)]
        return [Items(warnings)] if warnings else ()

    def values(self, report: Report) -> None:  # noqa: ARG002 - see the module's docstring
        return None
