"""Metrics of how the target recovers from a fault."""

from __future__ import annotations

from dataclasses import dataclass

from harness.metrics.metric import Metric
from harness.metrics.units import DURATION

RECOVERY_TIME = "recovery_time"


@dataclass(frozen=True, slots=True)
class TimeToRecover:
    """From the end of a fault; :mod:`harness.analysis.recovery` computes it."""

    def value(self, data: float) -> float:
        return data


METRICS: tuple[Metric[float], ...] = (
    Metric(
        RECOVERY_TIME,
        DURATION,
        "lower",
        TimeToRecover(),
        "Time from the end of a fault until the target is as it was before, or meets a condition",
        ("recovery", "time_to_recover", "mttr"),
        needs="faults",
    ),
)
