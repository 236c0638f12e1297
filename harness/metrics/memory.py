"""Metrics of a benchmark's memory, which ``harness bench --memory`` measures in one more call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.metrics.units import BYTES, NUMBER

if TYPE_CHECKING:
    from harness.metrics.rounds import RoundTimes

METRICS: tuple[Metric[RoundTimes], ...] = (
    Metric(
        "peak",
        BYTES,
        "lower",
        Exact(lambda data: data.memory.peak_bytes if data.memory else None),
        "Peak memory of one call",
        ("memory", "peak_memory"),
        needs="memory",
        compared=True,
    ),
    Metric(
        "allocations",
        NUMBER,
        "lower",
        Exact(lambda data: data.memory.allocations if data.memory else None),
        "Number of allocations of one call",
        ("mallocs",),
        needs="memory",
        compared=True,
    ),
)
