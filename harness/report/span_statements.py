"""Statements of traced requests by time, to compare a span with the rest of its phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from harness.analysis.statements import MANY
from harness.analysis.traces import Trace, phase_traces, records
from harness.record.plain_text import plain
from harness.recording.run import PhaseRecord, RunRecording

MOST_PARTS = 120
"""Of a phase, each a second or longer."""
MOST_ENDPOINTS = 20
_TEXTS = 3
_LONGEST = 300


def span_statements(run: RunRecording) -> list[dict[str, Any]]:
    """What ``assets/statements.js`` reads; empty if the target recorded no database statement.

    ``spans`` are ``[start_s, end_s]``. Each row is an endpoint with figures by span: how many of its requests were
    traced, what they ran and for how long, and how often those statements that one request repeated.
    """
    if "database" not in records(run):
        return []
    return [_phase(record, found) for record in run.phases if (found := phase_traces(run, record))]


def _phase(record: PhaseRecord, traces: dict[str, list[Trace]]) -> dict[str, Any]:
    edges = np.linspace(record.start_s, record.end_s, min(MOST_PARTS, max(1, int(record.length_s))) + 1)
    busiest = sorted(traces, key=lambda name: (-len(traces[name]), name))[:MOST_ENDPOINTS]
    return {
        "phase": plain(record.title),
        "spans": [[round(start, 2), round(end, 2)] for start, end in pairwise(edges)],
        "rows": [_row(name, traces[name], edges) for name in busiest],
    }


def _row(endpoint: str, traces: Sequence[Trace], edges: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    parts = len(edges) - 1
    at = np.searchsorted(edges, [trace.request.at_s for trace in traces], side="right").clip(1, parts) - 1
    counts = [Counter(trace.statements) for trace in traces]

    def by_part(values: Sequence[float]) -> list[float]:
        found: list[float] = np.bincount(at, values, parts).round(2).tolist()
        return found

    most: Counter[str] = Counter()
    for count in counts:
        most |= count  # of one request
    return {
        "endpoint": plain(endpoint),
        "traced": by_part([1] * len(traces)),
        "statements": by_part([count.total() for count in counts]),
        "database_ms": by_part([trace.time_ms["database"] for trace in traces]),
        "repeated": [
            {"text": plain(text[:_LONGEST]), "times": by_part([count[text] for count in counts])}
            for text, times in most.most_common(_TEXTS)
            if times >= MANY
        ],
    }
