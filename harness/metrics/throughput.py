"""How many requests there were a second."""

from __future__ import annotations

from harness.metrics.metric import Metric
from harness.metrics.statistics import CountsOverTime, Rate
from harness.metrics.units import PER_SECOND

METRICS: tuple[Metric[CountsOverTime], ...] = (
    Metric(
        "throughput",
        PER_SECOND,
        "higher",
        Rate(lambda counts: counts.requests),
        "Requests per second, including failed ones",
        ("rps", "tps", "requests", "rate"),
        compared=True,
    ),
)
