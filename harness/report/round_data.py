"""What the charts of benchmarks draw: the distribution of each benchmark's rounds, and their order."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.record.measurement import BENCHMARKS
from harness.record.plain_text import plain
from harness.record.suite import Rounds
from harness.record.summary import Summary
from harness.recording.bench import BenchRecording

BINS = 60
POINTS = 400
MOST_ROWS = 50
"""A chart that lists benchmarks shows so many of them at most."""
_FAR = 0.99
"""The distribution is drawn up to this quantile and as much again: a single outlier would flatten the rest."""


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
