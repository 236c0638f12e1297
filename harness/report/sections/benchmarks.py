"""What one call of each benchmark took, and its rounds as charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.record.benchmark_figures import BenchmarkFigures
from harness.record.measurement import BENCHMARKS
from harness.record.plain_text import plain
from harness.record.suite import Rounds
from harness.record.summary import Summary
from harness.recording.bench import BenchRecording
from harness.report.blocks import WIDE, Block, Column, table
from harness.report.contents import Report, Section
from harness.report.formatting import change, number, rate, seconds, size

BINS = 60
POINTS = 400
MOST_ROWS = 50
"""The most benchmarks that a chart lists."""
_FAR = 0.99
"""The distribution is drawn up to this quantile and as much again: a single outlier would flatten the rest."""


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


def round_data(suite: BenchRecording, summary: Summary) -> dict[str, Any]:
    """See ``assets/rounds.js``, which reads it. All times are in seconds."""
    rounds = {benchmark.test: benchmark.rounds for benchmark in suite.benchmarks}
    entries = []
    for row in summary.benchmarks:
        before = suite.baseline.figures(BENCHMARKS, row.test, "median") if suite.baseline else []
        entries.append(
            {
                "name": plain(row.name),
                "min_s": row.min_s,
                "median_s": row.median_s,
                "mean_s": row.mean_s,
                "p95_s": row.p95_s,
                "max_s": row.max_s,
                "change": row.change,
                "change_interval": row.change_interval,
                "baseline_mean_s": row.baseline_mean_s,
                "baseline_median_s": sum(known.value for known in before) / len(before) if before else None,
                "history": _history(suite, row.test),
                **_distribution(rounds[row.test]),
                **_in_order(rounds[row.test]),
            }
        )
    return {"benchmarks": entries, "run_id": summary.run_id, "most_rows": MOST_ROWS}


def _history(suite: BenchRecording, test: str) -> list[dict[str, Any]]:
    """The figures of earlier benches, the earliest first."""
    return [
        {"run_id": bench.run_id, "started_at": bench.started_at, "median_s": row.median_s, "mean_s": row.mean_s}
        for bench in suite.history
        for row in bench.benchmarks
        if row.test == test
    ]


def _distribution(rounds: Rounds) -> dict[str, Any]:
    """A histogram: ``edges`` (one more than ``counts``), and how many rounds lie ``beyond`` the last edge."""
    low, far = float(rounds.min()), float(np.quantile(rounds, _FAR))
    high = min(float(rounds.max()), far + (far - low)) or 1e-9
    counts, edges = np.histogram(rounds, bins=BINS, range=(low, max(high, low * 1.001)))
    return {"edges": edges.tolist(), "counts": counts.tolist(), "beyond": int((rounds > edges[-1]).sum())}


def _in_order(rounds: Rounds) -> dict[str, Any]:
    """The rounds in order, joined to at most :data:`POINTS` points: ``medians`` and ``maxima`` of ``step`` rounds."""
    step = -(-len(rounds) // POINTS)
    parts = [rounds[at : at + step] for at in range(0, len(rounds), step)]
    return {
        "step": step,
        "medians": [float(np.median(part)) for part in parts],
        "maxima": [float(part.max()) for part in parts],
    }
