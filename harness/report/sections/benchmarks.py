"""What one call of each benchmark took, and its rounds as charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.record.summary import BenchmarkFigures, Summary
from harness.report.blocks import WIDE, Block, Column, table
from harness.report.contents import Report, Section
from harness.report.formatting import change, number, rate, seconds, size
from harness.report.round_data import round_data


class Benchmarks(Section):
    id = "benchmarks"
    title = "Benchmarks"
    template = "benchmarks.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        rows = summary.benchmarks
        if not rows:
            return ()
        traced = any(row.peak_bytes is not None for row in rows)
        columns: list[Column[BenchmarkFigures]] = [
            Column("Benchmark", lambda row: row.name, text=True),
            Column("Rounds", lambda row: number(row.rounds), from_width=WIDE),
            Column("Min", lambda row: seconds(row.min_s), from_width=WIDE),
            Column("Median", lambda row: seconds(row.median_s)),
            Column("Mean", lambda row: seconds(row.mean_s)),
            Column("Change", lambda row: change(row.change), shown=any(row.change is not None for row in rows)),
            Column("P95", lambda row: seconds(row.p95_s), from_width=WIDE),
            Column("Max", lambda row: seconds(row.max_s), from_width=WIDE),
            Column("Calls", lambda row: rate(row.ops), from_width=WIDE),
            Column("Peak", lambda row: size(row.peak_bytes), shown=traced),
            Column("Allocations", lambda row: number(row.allocations), shown=traced),
        ]
        return [table(columns, rows)]

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.suite is None:
            return None
        rows = report.summary.benchmarks
        return {
            "traced": any(row.peak_bytes is not None for row in rows),
            "repeated": any(row.iterations > 1 for row in rows),
            "compared": any(row.change is not None for row in rows),
        }


class RoundCharts(Section):
    id = "rounds"
    title = "Rounds"
    template = "rounds.html"
    scripts = ("plots.js", "rounds.js")

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.suite is None:
            return None
        compared = any(row.change is not None for row in report.summary.benchmarks)
        return {"data": round_data(report.suite, report.summary), "compared": compared}
