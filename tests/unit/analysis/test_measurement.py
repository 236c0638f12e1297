"""A measurement has every figure of a recording, whatever made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.measurement import measure
from harness.metrics import BENCH_METRICS, REQUEST_METRICS, TARGET_METRICS
from harness.record.measurement import ALL, BENCHMARKS, Baseline, Measurement
from harness.record.run_folder import read_model, write_json
from harness.recording import open_recording
from tests.support.baselines import make_measurement, make_summary
from tests.support.benches import bench_folder
from tests.support.old_store import as_baseline_run
from tests.support.plans import pause, ramp, steady
from tests.support.recordings import WorkerState, record_run


def test_a_run_is_measured_by_phase_endpoint_and_metric(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path, phases=[ramp(), pause(), steady(rate=40, seconds=30)], target_rss=lambda at_s: 1e6 * (1 + at_s)
    )
    recording = open_recording(folder)
    measured = measure(recording)
    assert (measured.run_id, measured.started_at) == (folder.run_id, "2026-02-02T02:40:00Z")
    assert [(phase.variant, phase.name, phase.kind) for phase in measured.phases] == [
        ("", "ramp", "ramp"),
        ("", "steady", "steady"),
    ]
    whole = measured.endpoint("steady")
    assert whole is not None
    assert set(whole.figures) == {*REQUEST_METRICS, *TARGET_METRICS}
    assert whole.seconds == 30
    steady_phase = measured.phase("steady")
    assert steady_phase is not None
    of_each = [part.requests for name, part in steady_phase.endpoints.items() if name != ALL]
    assert sum(of_each) == whole.requests
    memory = steady_phase.resources["target"]["rss_bytes"]
    assert 6e6 < memory.mean < memory.max < 4e7
    assert measured.figure("pause", ALL, "p95") is None
    assert Measurement.model_validate_json(measured.model_dump_json()) == measured


def test_a_phase_that_the_generator_limited_says_so(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady()], worker=lambda _: WorkerState(cpu=0.99))
    (phase,) = measure(open_recording(folder)).phases
    assert phase.generator_limited


def test_a_bench_is_measured_by_benchmark(tmp_path: Path) -> None:
    folder = bench_folder(tmp_path, {"micro/test_a.py::test_a": [1e-3, 2e-3, 3e-3]})
    measured = measure(open_recording(folder))
    benchmark = measured.endpoint(BENCHMARKS, "micro/test_a.py::test_a")
    assert benchmark is not None
    assert benchmark.requests == 3
    assert set(benchmark.figures) == {name for name, metric in BENCH_METRICS.items() if metric.needs == "rounds"}
    assert benchmark.figures["median"].value == pytest.approx(2e-3)


def test_a_baseline_from_before_measurements_is_read(tmp_path: Path) -> None:
    old = as_baseline_run(make_measurement(2), make_summary(2))
    write_json(tmp_path / "baseline.json", {"scenario": "s", "profile": "p", "fingerprint": "f", "runs": [old]})
    assert read_model(tmp_path / "baseline.json", Baseline).runs == [make_measurement(2)]
