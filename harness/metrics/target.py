"""Metrics of the target's processes, by phase: the kernel does not know which request a process works for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.metrics.metric import Metric
from harness.metrics.units import MILLISECONDS

if TYPE_CHECKING:
    from harness.metrics.target_usage import TargetUsage


@dataclass(frozen=True, slots=True)
class CpuPerRequest:
    """The CPU time of all the target's processes over the requests that ended meanwhile, in ms."""

    def value(self, data: TargetUsage) -> float | None:
        requests = float(data.requests.sum())
        return 1000 * float(data.cpu_s.sum()) / requests if requests else None


METRICS: tuple[Metric[TargetUsage], ...] = (
    Metric(
        "cpu_per_request",
        MILLISECONDS,
        "lower",
        CpuPerRequest(),
        "CPU time of the target's processes, user and system, per request",
        ("cpu", "cpu_time"),
        needs="target",
        compared=True,
    ),
)
