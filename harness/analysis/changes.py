"""Every figure of a run or bench beside its baseline's: the change, its interval, and what that means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.analysis.comparability import comparable, why_not_comparable
from harness.analysis.compare import against, meaning_of, relative
from harness.analysis.measurement import measure
from harness.metrics import BENCH_METRICS, RUN_METRICS
from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.record.measurement import ALL, BENCHMARKS, Figures, Interval, Measurement
from harness.record.summary import Change
from harness.recording import BenchRecording, RunRecording


def changes_of(recording: RunRecording | BenchRecording) -> list[Change]:
    """The changes of all figures that both the recording and its baseline have.

    A run's endpoints come busiest first, benchmarks in the order of their suite. A phase is compared only with runs
    that a gate would compare it with (see :mod:`harness.analysis.comparability`).
    """
    if recording.baseline is None:
        return []
    measurement = measure(recording)
    if isinstance(recording, BenchRecording):
        return list(_bench_changes(recording, measurement, recording.baseline.runs))
    return list(_run_changes(recording, measurement))


def not_compared(recording: RunRecording | BenchRecording) -> list[str]:
    """For each measured phase of which runs of the baseline are left out, why."""
    if isinstance(recording, BenchRecording):
        return []
    measured = [record for record in recording.phases if record.plan.measured]
    reasons = [(record.plan.name, why_not_comparable(recording, record)) for record in measured]
    return [f"{phase}: {reason}" for phase, reason in reasons if reason is not None]


def _run_changes(recording: RunRecording, measurement: Measurement) -> Iterator[Change]:
    records = {(record.plan.name, record.variant): record for record in recording.phases}
    for phase in measurement.phases:
        runs = comparable(recording, records[phase.name, phase.variant])
        busiest = sorted(phase.endpoints, key=lambda name: (name != ALL, -phase.endpoints[name].requests, name))
        for endpoint in busiest:
            before = [run.endpoint(phase.name, endpoint, phase.variant) for run in runs]
            known = [measured.figures for measured in before if measured is not None]
            figures = phase.endpoints[endpoint].figures
            for name, metric in RUN_METRICS.items():
                yield from _change(phase.name, endpoint or None, metric, figures.get(name), known)


def _bench_changes(
    recording: BenchRecording, measurement: Measurement, runs: Sequence[Measurement]
) -> Iterator[Change]:
    for phase in measurement.phases:
        for test, measured in phase.endpoints.items():
            before = [run.endpoint(BENCHMARKS, test) for run in runs]
            known = [earlier.figures for earlier in before if earlier is not None]
            for name, metric in BENCH_METRICS.items():
                yield from _change(phase.name, recording.shown(test), metric, measured.figures.get(name), known)


def _change(
    phase: str, endpoint: str | None, metric: Metric[Any], observed: Interval | None, known: Sequence[Figures]
) -> Iterator[Change]:
    """The change of one metric, if the comparison includes it and both sides have it."""
    before = [figures[metric.name] for figures in known if metric.name in figures]
    if not metric.compared or observed is None or not before:
        return
    baseline, seen = against(observed, before, metric)
    change, interval = relative(seen, baseline, metric)
    yield Change(
        phase=phase,
        endpoint=endpoint,
        metric=metric.name,
        unit=metric.unit.name,
        baseline=baseline,
        observed=observed.value,
        change=change,
        interval=None if isinstance(metric.statistic, Exact) else interval,
        meaning=meaning_of(interval, metric),
    )
