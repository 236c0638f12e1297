"""The changes of a run against its baseline, by phase, endpoint and metric."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.comparability import comparable, why_not_comparable
from harness.analysis.compare import Bounds, Meaning, against, meaning_of, relative
from harness.analysis.intervals import interval_of
from harness.analysis.rounds import interval_of as bench_interval_of
from harness.analysis.samples import Sample, samples_of
from harness.metrics import BENCH_METRICS, RUN_METRICS
from harness.metrics.aggregate import Aggregate
from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.record.measurement import ALL, BENCHMARKS, Measurement
from harness.recording.bench import BenchRecording
from harness.recording.run import PhaseRecord, RunRecording


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of the run and the baseline's, in ``unit``; ``change`` is relative, or for an error rate (``unit``
    ``%``) the difference of the shares. ``interval`` (95 %) is that of the change; its upper end is None where the
    requests are too few to bound it.
    """

    phase: str
    endpoint: str
    """Empty: all endpoints together. Of a bench the benchmark's name."""
    metric: str
    unit: str
    baseline: float
    run: float
    change: float | None
    interval: Bounds | None
    meaning: Meaning


def changes(run: RunRecording) -> list[Change]:
    """All changes of the phases, endpoints and metrics that both the run and its baseline have, in the run's order.

    Only runs of the baseline that a gate would read are compared with.
    """
    return [change for record in run.phases if record.plan.measured for change in _phase(record, run)]


def not_compared(run: RunRecording) -> list[str]:
    """Why runs of the baseline, or all of it, are left out: a sentence for each measured phase that this is so of."""
    reasons = [(record.plan.name, why_not_comparable(run, record)) for record in run.phases if record.plan.measured]
    return [f"{phase}: {reason}" for phase, reason in reasons if reason is not None]


def bench_changes(suite: BenchRecording) -> list[Change]:
    """The change of each figure of each benchmark that the baseline has, in the suite's order."""
    found: list[Change] = []
    for benchmark in suite.benchmarks:
        test = benchmark.test
        for metric in (metric for metric in BENCH_METRICS.values() if metric.compared):
            before = suite.baseline.figures(BENCHMARKS, test, metric.name) if suite.baseline else []
            # An interval of many rounds is slow, so only where there is something to compare with.
            figure = bench_interval_of(benchmark, metric, suite.memory.get(test)) if before else None
            if figure is None:
                continue
            value, seen = against(figure, before, metric)
            change, interval = relative(seen, value, metric)
            found.append(
                Change(
                    "benchmarks",
                    suite.shown(test),
                    metric.name,
                    metric.unit.name,
                    value,
                    seen.value,
                    change,
                    None if isinstance(metric.statistic, Exact) else interval,
                    meaning_of(interval, metric),
                )
            )
    return found


def _phase(record: PhaseRecord, run: RunRecording) -> list[Change]:
    baseline = comparable(run, record)
    if not baseline:
        return []
    samples = samples_of(record, run.journal)
    busiest = sorted(samples, key=lambda endpoint: (endpoint != ALL, -samples[endpoint].requests.sum(), endpoint))
    found = (
        _change(record.plan.name, endpoint, metric, samples[endpoint], baseline)
        for endpoint in busiest
        for metric in RUN_METRICS.values()
        if metric.compared
    )
    return [change for change in found if change is not None]


def _change(
    phase: str, endpoint: str, metric: Metric[Aggregate], sample: Sample, baseline: list[Measurement]
) -> Change | None:
    kept = [known.figure(phase, endpoint, metric.name) for known in baseline]
    before = [interval for interval in kept if interval is not None]
    observed = interval_of(sample, metric)
    if observed is None or not before:
        return None
    value, seen = against(observed, before, metric)
    change, interval = relative(seen, value, metric)
    return Change(
        phase,
        endpoint,
        metric.name,
        metric.unit.name,
        value,
        observed.value,
        change,
        interval,
        meaning_of(interval, metric),
    )
