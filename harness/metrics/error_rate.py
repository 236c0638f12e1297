"""The share of requests that failed."""

from __future__ import annotations

from harness.metrics.metric import Metric
from harness.metrics.statistics import Counts, Proportion
from harness.metrics.units import PERCENT

METRICS: tuple[Metric[Counts], ...] = (
    Metric(
        "error_rate",
        PERCENT,
        "lower",
        Proportion(lambda counts: counts.failures),
        "Share of the requests that failed",
        ("errors", "error", "failures", "failure_rate"),
        compared=True,
    ),
)
