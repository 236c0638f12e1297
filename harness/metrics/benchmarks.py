"""Metrics of a benchmark: the time of one call over all rounds, and the memory of one more call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact, Maximum, Mean, Quantile
from harness.metrics.units import BYTES, NUMBER, PER_SECOND, SECONDS

if TYPE_CHECKING:
    from harness.metrics.rounds import RoundTimes


@dataclass(frozen=True, slots=True)
class Minimum:
    """The shortest round."""

    def value(self, data: RoundTimes) -> float:
        return data.minimum()


@dataclass(frozen=True, slots=True)
class Deviation:
    """The sample standard deviation."""

    def value(self, data: RoundTimes) -> float:
        return data.deviation()


@dataclass(frozen=True, slots=True)
class Inverse:
    """Calls a second, by the mean; 0 where the clock saw no time pass."""

    def value(self, data: RoundTimes) -> float:
        mean = data.mean()
        return 1 / mean if mean > 0 else 0.0


def _percentile(percent: str, *synonyms: str, compared: bool = False) -> Metric[RoundTimes]:
    what = f"Time that {percent} % of the rounds do not exceed"
    quantile = Quantile(float(f"{percent}e-2"))
    return Metric(f"p{percent}", SECONDS, "lower", quantile, what, synonyms, needs="rounds", compared=compared)


METRICS: tuple[Metric[RoundTimes], ...] = (
    Metric("min", SECONDS, "lower", Minimum(), "Shortest round", ("minimum",), needs="rounds", compared=True),
    Metric("max", SECONDS, "lower", Maximum(), "Longest round", ("maximum", "p100"), needs="rounds"),
    Metric("mean", SECONDS, "lower", Mean(), "Mean of all rounds", ("average", "avg"), needs="rounds", compared=True),
    Metric("median", SECONDS, "lower", Quantile(0.5), "Median of all rounds", needs="rounds", compared=True),
    Metric(
        "stddev",
        SECONDS,
        "lower",
        Deviation(),
        "Standard deviation between rounds",
        ("std", "sd", "stdev"),
        needs="rounds",
    ),
    _percentile("50"),
    _percentile("75"),
    _percentile("90"),
    _percentile("95", compared=True),
    _percentile("99"),
    _percentile("99.9", "p999"),
    Metric(
        "ops",
        PER_SECOND,
        "higher",
        Inverse(),
        "Calls per second, from the mean",
        ("throughput", "rate"),
        needs="rounds",
    ),
    Metric("rounds", NUMBER, "higher", Exact(lambda data: len(data.times)), "Number of rounds", needs="rounds"),
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
