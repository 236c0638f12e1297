"""Failed requests by error and endpoint, with samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.record.summary import FailureKind, Summary
from harness.report.blocks import Block, Column, table
from harness.report.contents import Report
from harness.report.formatting import number
from harness.report.section import Section


class Errors(Section):
    id = "errors"
    title = "Errors"
    template = "errors.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        if not summary.failures:
            return ()
        columns: list[Column[FailureKind]] = [
            Column("Count", lambda kind: number(kind.count)),
            Column("Endpoint", lambda kind: f"{kind.method} {kind.name}", text=True),
            Column("Error", lambda kind: kind.failure, text=True),
        ]
        return [table(columns, sorted(summary.failures, key=lambda kind: -kind.count), top=True)]

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.run is None:
            return None
        return {"total": sum(kind.count for kind in report.summary.failures)}
