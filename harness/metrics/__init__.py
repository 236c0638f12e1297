"""The registries of metrics, each declared once, for parser, live view, gates, reports and docs.

To add a metric, declare it in a family's file, or in a new one, and list that file here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from harness.metrics import benchmarks, contract, faults, requests, steps, target, traces
from harness.metrics.metric import Direction, Metric
from harness.metrics.named import is_named, named_metric
from harness.metrics.series import is_series, series_metric

if TYPE_CHECKING:
    from harness.metrics.aggregate import Aggregate
    from harness.metrics.contract import CheckedAgainstContract
    from harness.metrics.rounds import RoundTimes
    from harness.metrics.target_usage import TargetUsage
    from harness.metrics.traces import TracedWork

_Data = TypeVar("_Data")


def _by_name(*families: Iterable[Metric[_Data]]) -> dict[str, Metric[_Data]]:
    return {metric.name: metric for family in families for metric in family}


REQUEST_METRICS: Mapping[str, Metric[Aggregate]] = _by_name(requests.TIMES, requests.COUNTS)
"""What ``harness run`` measures of a phase or an endpoint in it."""

TARGET_METRICS: Mapping[str, Metric[TargetUsage]] = _by_name(target.METRICS)
"""What it measures of the target's processes, in a phase."""

TRACE_METRICS: Mapping[str, Metric[TracedWork]] = _by_name(traces.METRICS)
"""What it measures inside the requests that were traced, in a phase and of an endpoint."""

STEP_METRICS: Mapping[str, Metric[float]] = _by_name(steps.METRICS.values())
"""What it finds by the steps of a stress or search phase."""

CONTRACT_METRICS: Mapping[str, Metric[CheckedAgainstContract]] = _by_name(contract.METRICS)
"""What it finds by checking responses against an OpenAPI document, in a phase and of an endpoint."""

FAULT_METRICS: Mapping[str, Metric[float]] = _by_name(faults.METRICS)
"""What it finds after a fault, of all requests or an endpoint."""

RUN_METRICS: Mapping[str, Metric[Any]] = {
    **REQUEST_METRICS,
    **TARGET_METRICS,
    **TRACE_METRICS,
    **STEP_METRICS,
    **CONTRACT_METRICS,
    **FAULT_METRICS,
}
"""All that a gate on a run may use."""

BENCH_METRICS: Mapping[str, Metric[RoundTimes]] = _by_name(benchmarks.METRICS)
"""What ``harness bench`` measures of a benchmark."""


def run_metric(name: str, better: Direction = "lower") -> Metric[Any]:
    """The metric of that name: of the registry, a figure of a series, or one that a scenario names.

    Raises ``KeyError`` if it is none of these.
    """
    if is_named(name):
        return named_metric(name, better)
    return series_metric(name, better) if is_series(name) else RUN_METRICS[name]


def synonyms(metrics: Mapping[str, Metric[_Data]]) -> dict[str, str]:
    """The metric that each word from another tool means: ``{"rps": "throughput", …}``."""
    return {word: metric.name for metric in metrics.values() for word in metric.synonyms}
