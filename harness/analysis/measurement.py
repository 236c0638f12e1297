"""Measures a recording: figures with intervals, CPU profiles by function, resources."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.analysis import checks, intervals, rounds, series, target_usage
from harness.analysis.capacity import capacity_of, steps_of
from harness.analysis.contamination import contamination_of
from harness.analysis.contract import contract_figures
from harness.analysis.faults import faults_of
from harness.analysis.figures import goal_of, goal_under
from harness.analysis.generator import GeneratorState
from harness.analysis.lateness import lateness_of, without_lateness
from harness.analysis.profiles import phase_profile
from harness.analysis.samples import Sample, kept_in, samples_of
from harness.analysis.traced_figures import traced_figures
from harness.analysis.waits import waits_of
from harness.metrics import BENCH_METRICS, REQUEST_METRICS, RUN_METRICS, TARGET_METRICS
from harness.metrics.aggregate import Aggregate
from harness.metrics.metric import Direction, Metric
from harness.metrics.steps import METRICS as STEPS
from harness.plan.bench import PROFILE
from harness.plan.phases import phase_kind
from harness.record.measurement import (
    ALL,
    BENCHMARKS,
    CALM,
    EndpointMeasurement,
    Figures,
    Interval,
    MachineSpeed,
    Measurement,
    PhaseMeasurement,
    ResourceSummary,
)
from harness.record.resources import OTHERS, REFERENCE_WORK
from harness.recording.bench import BenchRecording
from harness.recording.recording import Recording
from harness.recording.run import PhaseRecord, RunRecording
from harness.recording.streams import SPANS


def measure(recording: Recording) -> Measurement:
    """Every measured phase of a run that began, or every benchmark of a bench that has rounds. Computed once.

    A phase of which faults leave too little is none: nobody could compare it.

    The endpoints of a phase come busiest first, benchmarks in the order of their suite. Raises :class:`HarnessError` if
    the recording is damaged.
    """
    return recording.once("measurement", lambda: _measurement(recording))


def _measurement(recording: Recording) -> Measurement:
    scenario, profile = recording.plan.key
    under_faults = []
    if isinstance(recording, RunRecording):
        under_faults = [
            _part(record, recording, fault.name)
            for fault in faults_of(recording)
            for record in recording.phases
            if record.plan.name == fault.phase and fault.error is None
        ]
        phases = [
            _phase(record, recording) if record.plan.measured else _steps(record, recording)
            for record in recording.phases
            if (record.plan.measured and contamination_of(record, recording).faults_leave_enough)
            or phase_kind(record.plan.kind).by_steps
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
        under_faults=under_faults,
    )


def _phase(record: PhaseRecord, run: RunRecording) -> PhaseMeasurement:
    more = {
        "profile": phase_profile(run, record, "cpu"),
        "threads": phase_profile(run, record, "threads"),
        "speed": _speed(record, run),
        "waits": waits_of(run, record),
        "resources": _resources(record, run),
    }
    return _part(record, run).model_copy(update=more)


def _part(record: PhaseRecord, run: RunRecording, fault: str = CALM) -> PhaseMeasurement:
    """The figures of a phase, of its seconds under a fault if one is named."""
    contamination = contamination_of(record, run, fault or None)
    planned = next((planned for planned in run.plan.faults if planned.name == fault), None)
    limit = GeneratorState(record, run.journal, contamination.left_out).limit()
    endpoints = endpoints_of(record, run, contamination.left_out)
    return PhaseMeasurement(
        variant=record.variant,
        name=record.plan.name,
        fault=fault,
        kind=record.plan.kind,
        goal=goal_of(record.plan) if planned is None else goal_under(record.plan, planned),
        traced=SPANS.recorded_in(run.folder),
        generator_limited=None if limit is None else str(limit),
        contaminated=contamination.share,
        too_contaminated=not contamination.leaves_enough,
        endpoints=endpoints,
        named=_named(record, run, endpoints[ALL].figures),
    )


def _named(record: PhaseRecord, run: RunRecording, figures: Figures) -> dict[str, Direction]:
    on = (gate.comparison for gate in run.plan.gates if gate.phase in (None, record.plan.name))
    return {one.metric: one.measures.better for one in on if one.metric in figures and one.metric not in RUN_METRICS}


def _speed(record: PhaseRecord, run: RunRecording) -> MachineSpeed | None:
    """Contaminated seconds count: a target that waits for a core uses no CPU time meanwhile, nor does the work."""
    speed = target_usage.usage_of(record, run, contamination_of(record, run).not_counted).speed
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


def endpoints_of(
    record: PhaseRecord, run: RunRecording, left_out: frozenset[int] = frozenset()
) -> dict[str, EndpointMeasurement]:
    """The figures of each endpoint of a phase, which need not be measured: :data:`ALL` first, then the busiest.

    ``left_out`` are seconds of the run; see :mod:`harness.analysis.contamination`.
    """

    def compute() -> dict[str, EndpointMeasurement]:
        lateness = lateness_of(record, run.journal, left_out)
        own = lateness.own if lateness is not None and lateness.own.count else None

        def interval_of(sample: Sample, metric: Metric[Aggregate]) -> Interval | None:
            interval = intervals.interval_of(sample, metric)
            if interval is None or own is None:
                return interval
            return without_lateness(interval, metric.statistic, sample.merged, own)

        found, traced, against = {}, traced_figures(run, record, left_out), contract_figures(run, record)
        kept = kept_in(record, left_out)
        for name, whole in samples_of(record, run.journal):
            sample = whole.only(kept) if left_out else whole
            figures = _figures((metric.name, interval_of(sample, metric)) for metric in REQUEST_METRICS.values())
            if name == ALL:
                usage = target_usage.usage_of(record, run, left_out)
                figures |= _figures(
                    (metric.name, target_usage.interval_of(usage, metric)) for metric in TARGET_METRICS.values()
                )
                figures |= _figures(series.figures_of(record, run, left_out).items())
                figures |= _figures(checks.figures_of(record, run, left_out).items())
                figures |= _of_steps(record, run)
            figures |= traced.get(name, {}) | against.get(name, {})
            found[name] = EndpointMeasurement(requests=int(sample.requests.sum()), seconds=sample.n, figures=figures)
        return dict(sorted(found.items(), key=lambda entry: (entry[0] != ALL, -entry[1].requests, entry[0])))

    return run.once(f"endpoints of {record.index} {record.variant} without {sorted(left_out)}", compute)


def figures_of(record: PhaseRecord, run: RunRecording, left_out: frozenset[int] = frozenset()) -> Figures:
    """The figures of all endpoints of a phase together; ``left_out`` as for :func:`endpoints_of`."""
    return endpoints_of(record, run, left_out)[ALL].figures


def _of_steps(record: PhaseRecord, run: RunRecording) -> Figures:
    if not phase_kind(record.plan.kind).by_steps:
        return {}
    return _figures([(STEPS[record.plan.model].name, capacity_of([*steps_of(record, run.journal)]))])


def _figures(found: Iterable[tuple[str, Interval | None]]) -> Figures:
    return {metric: interval for metric, interval in found if interval is not None}


def _resources(record: PhaseRecord, run: RunRecording) -> dict[str, dict[str, ResourceSummary]]:
    begin_s, end_s = (run.journal.epoch_s + at_s for at_s in (record.start_s, record.end_s))
    disturbed = contamination_of(record, run).not_counted
    values: dict[str, dict[str, list[float]]] = {}
    for reading in run.readings:
        at_s = reading.epoch_s - run.journal.epoch_s
        if begin_s <= reading.epoch_s < end_s and int(at_s) not in disturbed and reading.source != OTHERS:
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
