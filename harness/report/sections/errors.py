"""Failed requests by error and endpoint, with samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from harness.record.summary import FailureKind, Summary
from harness.report.blocks import WIDE, Block, Column, table
from harness.report.contents import Report, Section
from harness.report.formatting import number, percent


class Errors(Section):
    id = "errors"
    title = "Errors"
    template = "errors.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        if not summary.failures:
            return ()
        shares = _shares(summary)
        columns: list[Column[FailureKind]] = [
            Column("Count", lambda kind: number(kind.count)),
            Column("Endpoint", lambda kind: f"{kind.method} {kind.name}", text=True),
            Column("Error", lambda kind: kind.failure, text=True),
            Column("Of its requests", lambda kind: percent(shares(kind)), from_width=WIDE),
        ]
        return [table(columns, sorted(summary.failures, key=lambda kind: -kind.count), top=True)]

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.run is None:
            return None
        return {"share": _shares(report.summary)}


def _shares(summary: Summary) -> Callable[[FailureKind], float | None]:
    """The share (0…1) of an endpoint's requests in the whole run that failed in one way."""
    requests = Counter[tuple[str, str]]()
    for phase in summary.phases:
        for endpoint in phase.endpoints:
            requests[endpoint.method, endpoint.name] += endpoint.requests

    def share(kind: FailureKind) -> float | None:
        sent = requests[kind.method, kind.name]
        return kind.count / sent if sent else None

    return share
