"""Whether a stress step broke its limit: the ``until`` of a phase, judged on what the step's requests showed."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.plan.model import Comparison, Condition
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram, HistogramSum

FEWEST_REQUESTS = 20
"""A step with fewer says nothing about its percentiles."""


@dataclass
class StepFigures:
    """What the requests of one step showed so far."""

    requests: int = 0
    failures: int = 0
    response: HistogramSum = field(default_factory=HistogramSum)

    def add(self, series: EndpointSecond) -> None:
        self.requests += series.requests
        self.failures += series.failures
        self.response.add(series.response)

    @property
    def tells(self) -> bool:
        """Whether the step has requests enough to say that it held; one in which the target stood still has not."""
        return self.requests >= FEWEST_REQUESTS

    def breaks(self, until: Condition, duration_s: float) -> str | None:
        """The comparison of ``until`` that came true, with its figure, as a person reads it; None: nothing shows it."""
        if not self.tells:
            return None
        whole = self.response.whole()
        for group in until.any_of:
            observed = [(comparison, self._observed(comparison, whole, duration_s)) for comparison in group]
            if all(_holds(comparison, value) for comparison, value in observed):
                return " and ".join(
                    f"{comparison.source} (was {value:,.4g} {comparison.unit})" for comparison, value in observed
                )
        return None

    def _observed(self, comparison: Comparison, whole: Histogram, duration_s: float) -> float:
        metric = comparison.metric
        if metric == "error_rate":
            return 100 * self.failures / self.requests
        if metric == "throughput":
            return self.requests / duration_s
        if metric == "mean":
            return whole.mean_us / 1000
        if metric == "max":
            return whole.max_us / 1000
        return whole.quantile_us(float(metric[1:]) / 100) / 1000


def _holds(comparison: Comparison, value: float) -> bool:
    limit = comparison.value
    match comparison.comparator:
        case "<":
            return value < limit
        case "<=":
            return value <= limit
        case ">":
            return value > limit
        case ">=":
            return value >= limit
