"""Measures a recording: every figure with its interval, each phase's CPU profile by function, and its resources."""

from __future__ import annotations

import numpy as np

from harness.analysis import intervals, rounds
from harness.analysis.figures import goal_of
from harness.analysis.functions import phase_profile
from harness.analysis.generator import generator_limit
from harness.analysis.samples import Sample, samples_of
from harness.metrics import BENCH_METRICS, RUN_METRICS
from harness.plan.bench import PROFILE
from harness.record.measurement import (
    BENCHMARKS,
    EndpointMeasurement,
    Measurement,
    PhaseMeasurement,
    ResourceSummary,
)
from harness.record.suite import Benchmark, MemoryFigures
from harness.recording import BenchRecording, RunRecording
from harness.recording.run import PhaseRecord


def measure(recording: RunRecording | BenchRecording) -> Measurement:
    """Every measured phase of a run that began, or every benchmark of a bench that has rounds. Computed once.

    Raises :class:`HarnessError` if the recording is damaged.
    """
    return recording.once("measurement", lambda: _measurement(recording))


def _measurement(recording: RunRecording | BenchRecording) -> Measurement:
    scenario, profile = recording.plan.key
    phases = _benchmarks(recording) if isinstance(recording, BenchRecording) else _phases(recording)
    return Measurement(
        run_id=recording.run_id,
        started_at=recording.started_at,
        scenario=scenario,
        profile=profile,
        phases=phases,
    )


def _phases(recording: RunRecording) -> list[PhaseMeasurement]:
    return [_phase(record, recording) for record in recording.phases if record.plan.measured]


def _phase(record: PhaseRecord, recording: RunRecording) -> PhaseMeasurement:
    limit = generator_limit(record, recording.journal)
    samples = samples_of(record, recording.journal)
    return PhaseMeasurement(
        variant=record.variant,
        name=record.plan.name,
        kind=record.plan.kind,
        goal=goal_of(record.plan),
        generator_limited=None if limit is None else str(limit),
        endpoints={endpoint: _endpoint(sample) for endpoint, sample in samples.items()},
        profile=phase_profile(recording, record),
        resources=_resources(record, recording),
    )


def _endpoint(sample: Sample) -> EndpointMeasurement:
    found = ((name, intervals.interval_of(sample, metric)) for name, metric in RUN_METRICS.items())
    return EndpointMeasurement(
        requests=int(sample.requests.sum()),
        seconds=sample.n,
        figures={name: interval for name, interval in found if interval is not None},
    )


def _resources(record: PhaseRecord, recording: RunRecording) -> dict[str, dict[str, ResourceSummary]]:
    begin_s, end_s = (recording.journal.epoch_s + at_s for at_s in (record.start_s, record.end_s))
    values: dict[str, dict[str, list[float]]] = {}
    for reading in recording.readings:
        if begin_s <= reading.epoch_s < end_s:
            of_source = values.setdefault(reading.source, {})
            for name, value in reading.values.items():
                of_source.setdefault(name, []).append(value)
    return {
        source: {name: ResourceSummary(mean=float(np.mean(seen)), max=max(seen)) for name, seen in names.items()}
        for source, names in values.items()
    }


def _benchmarks(recording: BenchRecording) -> list[PhaseMeasurement]:
    endpoints = {
        benchmark.test: _benchmark(benchmark, recording.memory.get(benchmark.test))
        for benchmark in recording.benchmarks
    }
    return [PhaseMeasurement(name=BENCHMARKS, kind=PROFILE, endpoints=endpoints)]


def _benchmark(benchmark: Benchmark, memory: MemoryFigures | None) -> EndpointMeasurement:
    found = ((name, rounds.interval_of(benchmark, metric, memory)) for name, metric in BENCH_METRICS.items())
    return EndpointMeasurement(
        requests=len(benchmark.rounds),
        seconds=len(benchmark.rounds),
        figures={name: interval for name, interval in found if interval is not None},
    )
