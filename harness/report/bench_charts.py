"""What the charts of a bench draw: of each benchmark how its rounds spread, and how they went on."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.record.suite import Rounds
from harness.record.summary import Summary
from harness.recording.bench import BenchRecording, references
from harness.report.formatting import plain

BINS = 60
POINTS = 400
_FAR = 0.99
"""The distribution is drawn up to this quantile and as much again: one stray round would flatten all else."""


def bench_chart_data(suite: BenchRecording, summary: Summary) -> dict[str, Any]:
    """See ``assets/benchcharts.js``, which reads it. All times are in seconds."""
    rounds = {benchmark.test: benchmark.rounds for benchmark in suite.benchmarks}
    entries = []
    for row in summary.benchmarks:
        before = references(suite.baseline, row.test, "median")
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
                "baseline_median_s": sum(kept.value for kept in before) / len(before) if before else None,
                "history": _history(suite, row.test),
                **_spread(rounds[row.test]),
                **_course(rounds[row.test]),
            }
        )
    return {"benchmarks": entries, "run_id": summary.run_id}


def _history(suite: BenchRecording, test: str) -> list[dict[str, Any]]:
    """What the benches before this one measured, the earliest first."""
    return [
        {"run_id": bench.run_id, "started_at": bench.started_at, "median_s": row.median_s, "mean_s": row.mean_s}
        for bench in suite.history
        for row in bench.benchmarks
        if row.test == test
    ]


def _spread(rounds: Rounds) -> dict[str, Any]:
    """A histogram: ``edges`` (one more than ``counts``), and how many rounds lie ``beyond`` the last one."""
    low, far = float(rounds.min()), float(np.quantile(rounds, _FAR))
    high = min(float(rounds.max()), far + (far - low)) or 1e-9
    counts, edges = np.histogram(rounds, bins=BINS, range=(low, max(high, low * 1.001)))
    return {"edges": edges.tolist(), "counts": counts.tolist(), "beyond": int((rounds > edges[-1]).sum())}


def _course(rounds: Rounds) -> dict[str, Any]:
    """The rounds in order, so many to a point that there are :data:`POINTS`: the median of them, and the greatest."""
    step = -(-len(rounds) // POINTS)
    parts = [rounds[at : at + step] for at in range(0, len(rounds), step)]
    return {
        "step": step,
        "middle": [float(np.median(part)) for part in parts],
        "greatest": [float(part.max()) for part in parts],
    }
