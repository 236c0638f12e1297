"""Metrics of requests. Response times count from the moment a request should have been sent."""

from __future__ import annotations

from harness.metrics.metric import Metric, Statistic
from harness.metrics.statistics import CountsOverTime, Maximum, Mean, Proportion, Quantile, Rate, Times
from harness.metrics.units import MILLISECONDS, PER_SECOND, PERCENT

_BETWEEN_RUNS = 0.1
"""On shared machines, a P95 of one build varied by 20 to 40 % between runs."""


def _time(name: str, statistic: Statistic[Times], what: str, *synonyms: str, compared: bool = False) -> Metric[Times]:
    return Metric(name, MILLISECONDS, "lower", statistic, what, synonyms, compared=compared, between_runs=_BETWEEN_RUNS)


def _percentile(percent: str, *synonyms: str, compared: bool = False) -> Metric[Times]:
    what = f"Response time that {percent} % of the requests do not exceed"
    return _time(f"p{percent}", Quantile(float(f"{percent}e-2")), what, *synonyms, compared=compared)


TIMES = (
    _percentile("50", "median", compared=True),
    _percentile("75"),
    _percentile("90"),
    _percentile("95", "latency", "response_time", compared=True),
    _percentile("99", compared=True),
    _percentile("99.9", "p999"),
    _time("mean", Mean(), "Mean response time", "average", "avg", compared=True),
    _time("max", Maximum(), "Longest response time", "p100", "maximum"),
)

COUNTS: tuple[Metric[CountsOverTime], ...] = (
    Metric(
        "error_rate",
        PERCENT,
        "lower",
        Proportion(lambda counts: counts.failures),
        "Share of the requests that failed",
        ("errors", "error", "failures", "failure_rate"),
        compared=True,
    ),
    Metric(
        "throughput",
        PER_SECOND,
        "higher",
        Rate(lambda counts: counts.started),
        "Requests started per second, including failed ones",
        ("rps", "tps", "requests", "rate"),
        compared=True,
    ),
)
