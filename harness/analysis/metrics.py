"""The metrics that gates read, their units, and the quantiles among them."""

from __future__ import annotations

from harness.plan.model import Metric

QUANTILES: dict[Metric, float] = {
    "p50": 0.50,
    "p75": 0.75,
    "p90": 0.90,
    "p95": 0.95,
    "p99": 0.99,
    "p99.9": 0.999,
}

METRICS: tuple[Metric, ...] = (*QUANTILES, "mean", "max", "error_rate", "throughput")

UNITS: dict[Metric, str] = {
    **dict.fromkeys(QUANTILES, "ms"),
    "mean": "ms",
    "max": "ms",
    "error_rate": "%",
    "throughput": "/s",
}
