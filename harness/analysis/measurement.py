"""Measures a recording: every figure with its interval, each phase's CPU profile by function, and its resources."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.analysis import intervals, rounds, series, target_usage
from harness.analysis.capacity import capacity_of, steps_of
from harness.analysis.contamination import contamination_of
from harness.analysis.figures import goal_of
from harness.analysis.generator import GeneratorState, lateness_of, without_lateness
from harness.analysis.profiles import phase_profile
from harness.analysis.samples import Sample, samples_of
from harness.analysis.traced_figures import traced_figures
from harness.analysis.waits import waits_of
from harness.metrics import BENCH_METRICS, REQUEST_METRICS, TARGET_METRICS
from harness.metrics.aggregate import Aggregate
from harness.metrics.metric import Metric
from harness.metrics.steps import METRICS as STEPS
from harness.plan.bench import PROFILE
from harness.plan.phases import phase_kind
from harness.record.measurement import (
    ALL,
    BENCHMARKS,
    EndpointMeasurement,
    Figures,
    Interval,
    MachineSpeed,
    Measurement,
    PhaseMeasurement,
    ResourceSummary,
)
from harness.record.resources import REFERENCE_WORK
from harness.recording.bench import BenchRecording
from harness.recording.recording import Recording
from harness.recording.run import PhaseRecord, RunRecording
from harness.recording.streams import SPANS


def measure(recording: Recording) -> Measurement:
    """Every measured phase of a run that began, or every benchmark of a bench that has rounds. Computed once.

    The endpoints of a phase come busiest first, benchmarks in the order of their suite. Raises :class:`HarnessError` if
    the recording is damaged.
    """
    return recording.once("measurement", lambda: _measurement(recording))


def _measurement(recording: Recording) -> Measurement:
    scenario, profile = recording.plan.key
    if isinstance(recording, RunRecording):
        phases = [
            _phase(record, recording) if record.plan.measured else _steps(record, recording)
            for record in recording.phases
            if record.plan.measured or phase_kind(record.plan.kind).by_steps
        ]
    else:
        assert isinstance(recording, BenchRecording)
        phases = [PhaseMeasurement(name=BENCHMARKS, kind=PROFILE, endpoints=_benchmarks(recording))]
    return Measurement(
        run_id=recording.run_id,
        started_at=recording.started_at,
        scenario=scenario,
        profile=profile,
        phases=phases,
    )


def _phase(record: PhaseRecord, run: RunRecording) -> PhaseMeasurement:
    contamination = contamination_of(record, run)
    limit = GeneratorState(record, run.journal, contamination.left_out).limit()
    return PhaseMeasurement(
        variant=record.variant,
        name=record.plan.name,
        kind=record.plan.kind,
        goal=goal_of(record.plan),
        traced=SPANS.recorded_in(run.folder),
        generator_limited=None if limit is None else str(limit),
        contaminated=contamination.share,
        too_contaminated=not contamination.leaves_enough,
        endpoints=endpoints_of(record, run, clean=contamination.leaves_enough),
        profile=phase_profile(run, record, "cpu"),
        threads=phase_profile(run, record, "threads"),
        speed=_speed(record, run),
        waits=waits_of(run, record),
        resources=_resources(record, run),
    )


def _speed(record: PhaseRecord, run: RunRecording) -> MachineSpeed | None:
    """All seconds count: a target that waits for a core uses no CPU time meanwhile, nor does the reference work."""
    speed = target_usage.usage_of(record, run).speed
    if speed is None:
        return None
    time_ms, usage = speed
    metric = TARGET_METRICS["cpu_per_request"]
    figures = _figures([(metric.name, target_usage.interval_of(usage, metric))])
    return MachineSpeed(work=REFERENCE_WORK, time_ms=time_ms, figures=figures)


def _steps(record: PhaseRecord, run: RunRecording) -> PhaseMeasurement:
    """A phase that is meant to break: only what it found counts."""
    whole = endpoints_of(record, run)[ALL]
    return PhaseMeasurement(
        variant=record.variant,
        name=record.plan.name,
        kind=record.plan.kind,
        goal=record.plan.description,
        endpoints={ALL: whole.model_copy(update={"figures": _of_steps(record, run)})},
    )


def endpoints_of(record: PhaseRecord, run: RunRecording, *, clean: bool = False) -> dict[str, EndpointMeasurement]:
    """The figures of each endpoint of a phase, which need not be measured: :data:`ALL` first, then the busiest.

    ``clean`` leaves contaminated seconds out; see :mod:`harness.analysis.contamination`.
    """
    contamination = contamination_of(record, run)
    clean = clean and contamination.count > 0

    def compute() -> dict[str, EndpointMeasurement]:
        lateness = lateness_of(record, run.journal, contamination.left_out if clean else ())
        own = lateness.own if lateness is not None and lateness.own.count else None

        def interval_of(sample: Sample, metric: Metric[Aggregate]) -> Interval | None:
            interval = intervals.interval_of(sample, metric)
            return interval if interval is None or own is None else without_lateness(interval, metric.statistic, own)

        found, traced = {}, traced_figures(run, record)
        for name, whole in samples_of(record, run.journal):
            sample = whole.only(~contamination.seconds) if clean else whole
            figures = _figures((metric.name, interval_of(sample, metric)) for metric in REQUEST_METRICS.values())
            if name == ALL:
                usage = target_usage.usage_of(record, run, clean=clean)
                figures |= _figures(
                    (metric.name, target_usage.interval_of(usage, metric)) for metric in TARGET_METRICS.values()
                )
                figures |= _figures(series.figures_of(record, run, clean=clean).items())
                figures |= _of_steps(record, run)
            figures |= traced.get(name, {})
            found[name] = EndpointMeasurement(requests=int(sample.requests.sum()), seconds=sample.n, figures=figures)
        return dict(sorted(found.items(), key=lambda entry: (entry[0] != ALL, -entry[1].requests, entry[0])))

    return run.once(f"endpoints of {record.index} {record.variant}{' clean' if clean else ''}", compute)


def figures_of(record: PhaseRecord, run: RunRecording, *, clean: bool = False) -> Figures:
    """The figures of all endpoints of a phase together; ``clean`` as for :func:`endpoints_of`."""
    return endpoints_of(record, run, clean=clean)[ALL].figures


def _of_steps(record: PhaseRecord, run: RunRecording) -> Figures:
    if not phase_kind(record.plan.kind).by_steps:
        return {}
    return _figures([(STEPS[record.plan.model].name, capacity_of([*steps_of(record, run.journal)]))])


def _figures(found: Iterable[tuple[str, Interval | None]]) -> Figures:
    return {metric: interval for metric, interval in found if interval is not None}


def _resources(record: PhaseRecord, run: RunRecording) -> dict[str, dict[str, ResourceSummary]]:
    begin_s, end_s = (run.journal.epoch_s + at_s for at_s in (record.start_s, record.end_s))
    values: dict[str, dict[str, list[float]]] = {}
    for reading in run.readings:
        if begin_s <= reading.epoch_s < end_s:
            of_source = values.setdefault(reading.source, {})
            for name, value in reading.values.items():
                of_source.setdefault(name, []).append(value)
    return {
        source: {name: ResourceSummary(mean=float(np.mean(seen)), max=max(seen)) for name, seen in names.items()}
        for source, names in values.items()
    }


def _benchmarks(suite: BenchRecording) -> dict[str, EndpointMeasurement]:
    return {
        benchmark.test: EndpointMeasurement(
            requests=len(benchmark.rounds),
            seconds=len(benchmark.rounds),
            figures=_figures(
                (name, rounds.interval_of(benchmark, metric, suite.memory.get(benchmark.test)))
                for name, metric in BENCH_METRICS.items()
            ),
        )
        for benchmark in suite.benchmarks
    }
