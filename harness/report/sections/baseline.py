"""The run beside its baseline: each figure, its change and the interval of that change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.report.comparison import Change, bench_changes, changes, not_compared
from harness.report.contents import Report
from harness.report.formatting import change, points
from harness.report.section import Section
from harness.report.sections.verdict import main_phase


class BaselineChanges(Section):
    id = "baseline"
    title = "Baseline"
    template = "baseline.html"

    def values(self, report: Report) -> dict[str, Any]:
        found = changes(report.run) if report.run else bench_changes(report.suite) if report.suite else []
        main = main_phase(report.summary)
        return {
            "baseline": report.recorded.baseline,
            "phases": _by_phase(found),
            "main": main.name if main else None,
            "worse": sum(row.meaning == "worse" for row in found),
            "better": sum(row.meaning == "better" for row in found),
            "not_compared": not_compared(report.run) if report.run else [],
            "what": "Endpoint" if report.run else "Benchmark",
            "figure": _figure,
            "relative": _relative,
        }


def _by_phase(rows: Sequence[Change]) -> dict[str, list[Change]]:
    phases: dict[str, list[Change]] = {}
    for row in rows:
        phases.setdefault(row.phase, []).append(row)
    return phases


def _figure(metric: str) -> str:
    """``P95``, ``error rate``."""
    return metric.upper() if metric[:1] == "p" and metric[1:].isdigit() else metric.replace("_", " ")


def _relative(row: Change, value: float | None) -> str:
    """A change of ``row``: relative, or of an error rate in percentage points."""
    return points(value) if row.metric == "error_rate" else change(value)
