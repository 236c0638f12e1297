"""Metrics of the target's processes, by phase: the kernel does not know about requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.metrics.metric import Metric
from harness.metrics.units import BYTES, BYTES_PER_MINUTE, MILLISECONDS

if TYPE_CHECKING:
    from harness.metrics.target_usage import TargetUsage


GROWTH_NEEDS_S = 30
"""A shorter phase has too few readings to bound how fast memory grows."""


@dataclass(frozen=True, slots=True)
class CpuPerRequest:
    """The CPU time of all the target's processes over the requests that ended meanwhile, in ms."""

    def value(self, data: TargetUsage) -> float | None:
        requests = float(data.requests.sum())
        return 1000 * float(data.cpu_s.sum()) / requests if requests else None


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """The most that all the target's processes held. It has no interval: it is what was observed."""

    def value(self, data: TargetUsage) -> float | None:
        return float(data.rss_bytes.max()) if len(data.rss_bytes) else None


@dataclass(frozen=True, slots=True)
class MemoryGrowth:
    """The median slope between all pairs of points (Sen 1968, JASA 63), which no single step or collection moves."""

    def value(self, data: TargetUsage) -> float | None:
        return data.growth[0] if data.growth else None


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
        between_runs=0.05,
    ),
    Metric(
        "rss_max",
        BYTES,
        "lower",
        PeakMemory(),
        "Highest total resident memory of the target's processes",
        ("rss", "memory"),
        needs="target",
        compared=True,
        between_runs=0.03,
        others_matter=False,
    ),
    Metric(
        "rss_growth",
        BYTES_PER_MINUTE,
        "lower",
        MemoryGrowth(),
        f"Growth of the resident memory of the target's processes; needs a phase of at least {GROWTH_NEEDS_S} s",
        ("leak", "memory_growth"),
        needs="target",
        others_matter=False,
    ),
)
