"""The run beside its baseline: by phase, endpoint and metric the change, with the noise of both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.analysis.comparability import comparable, why_not_comparable
from harness.analysis.intervals import interval_of
from harness.analysis.metrics import UNITS
from harness.analysis.recorded import PhaseRecord, RecordedRun
from harness.analysis.samples import ALL, Sample, samples_of
from harness.gates.against_baseline import against
from harness.plan.bench import BenchMetric
from harness.plan.model import Metric
from harness.record.baseline import BaselineRun, Interval

METRICS: tuple[Metric, ...] = ("p50", "p95", "p99", "mean", "error_rate", "throughput")

Meaning = Literal["better", "worse", "no clear change"]


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of the run and the baseline's, in ``unit``; ``change`` is relative, or for an error rate (``unit``
    ``%``) the difference of the shares. ``interval`` (95 %) is that of the change; its upper end is None where the
    requests are too few to bound it.
    """

    phase: str
    endpoint: str
    """Empty: all endpoints together. Of a bench the benchmark's name."""
    metric: Metric | BenchMetric
    unit: str
    baseline: float
    run: float
    change: float | None
    interval: tuple[float, float | None] | None
    meaning: Meaning


def changes(run: RecordedRun) -> list[Change]:
    """All changes of the phases, endpoints and metrics that both the run and its baseline have, in the run's order.

    Only runs of the baseline that a gate would read are compared with.
    """
    return [change for record in run.phases if record.plan.measured for change in _phase(record, run)]


def not_compared(run: RecordedRun) -> list[str]:
    """Why runs of the baseline, or all of it, are left out: a sentence for each measured phase that this is so of."""
    reasons = [(record.plan.name, why_not_comparable(run, record)) for record in run.phases if record.plan.measured]
    return [f"{phase}: {reason}" for phase, reason in reasons if reason is not None]


def _phase(record: PhaseRecord, run: RecordedRun) -> list[Change]:
    baseline = comparable(run, record)
    if not baseline:
        return []
    samples = samples_of(record, run.journal)
    busiest = sorted(samples, key=lambda endpoint: (endpoint != ALL, -samples[endpoint].requests.sum(), endpoint))
    found = (
        _change(record.plan.name, endpoint, metric, samples[endpoint], baseline)
        for endpoint in busiest
        for metric in METRICS
    )
    return [change for change in found if change is not None]


def _change(phase: str, endpoint: str, metric: Metric, sample: Sample, baseline: list[BaselineRun]) -> Change | None:
    kept = [known.figures.get(phase, {}).get(endpoint, {}).get(metric) for known in baseline]
    before = [interval for interval in kept if interval is not None]
    observed = interval_of(sample, metric)
    if observed is None or not before:
        return None
    value, seen = against(observed, before, metric)
    change, interval = _relative(value, seen, metric)
    return Change(
        phase,
        endpoint,
        metric,
        UNITS[metric],
        value,
        observed.value,
        change,
        interval,
        meaning_of(interval, more_is_better=metric == "throughput"),
    )


def _relative(
    baseline: float, seen: Interval, metric: Metric
) -> tuple[float | None, tuple[float, float | None] | None]:
    if metric == "error_rate":
        high = None if seen.high is None else (seen.high - baseline) / 100
        return (seen.value - baseline) / 100, ((seen.low - baseline) / 100, high)
    if baseline <= 0:
        return None, None
    high = None if seen.high is None else seen.high / baseline - 1
    return seen.value / baseline - 1, (seen.low / baseline - 1, high)


def meaning_of(interval: tuple[float, float | None] | None, *, more_is_better: bool) -> Meaning:
    """What a change's interval says; within the noise nothing is said."""
    if interval is None:
        return "no clear change"
    low, high = interval
    grew, shrank = low > 0, high is not None and high < 0
    if not grew and not shrank:
        return "no clear change"
    return "better" if grew == more_is_better else "worse"
