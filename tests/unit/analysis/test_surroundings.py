"""What the surroundings show: full pools, waits for locks, servers at their limit, caches that miss more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.measurement import measure
from harness.analysis.surroundings import SurroundingsFinding, surroundings_of
from harness.plan.model.run import RunPlan
from harness.plan.model.sampling import MetricsSource
from harness.record.measurement import Baseline
from harness.record.metric_readings import METRIC_READINGS, MetricReading
from harness.record.run_folder import RunFolder, read_model, write_json, write_text
from harness.recording import RunRecording, open_recording
from tests.support.broken_runs import Broken, write_faults
from tests.support.plans import ramp, steady
from tests.support.recordings import EPOCH_S, record_run

Readings = Callable[[int], MetricReading]
SOURCES = (
    MetricsSource(name="shop", kind="prometheus", url="/metrics", ratios={"hit_ratio": "hits / reads"}),
    MetricsSource(name="db", kind="postgresql", url="postgresql://127.0.0.1/shop"),
    MetricsSource(name="cache", kind="redis", url="redis://127.0.0.1"),
)


def recorded(folder: Path, read: Readings, run_id: str = "run", **more: Any) -> RunRecording:
    """A run of 5 s of ramp and 20 s of steady."""
    run: RunFolder = record_run(folder, run_id=run_id, phases=[ramp(), steady()], **more)
    plan = read_model(run.plan, RunPlan)
    sampling = plan.sampling.model_copy(update={"metrics": SOURCES})
    write_text(run.plan, plan.model_copy(update={"sampling": sampling}).model_dump_json())
    writer = METRIC_READINGS.writer(run.metrics)
    for second in range(26):
        writer.write(read(second))
    writer.close()
    recording = open_recording(run)
    assert isinstance(recording, RunRecording)
    return recording


def findings(run: RunRecording) -> list[SurroundingsFinding]:
    return surroundings_of(run.phases[-1], run)


def pool(in_use: Callable[[int], float], waiting: float = 0.0) -> Readings:
    return lambda second: MetricReading(
        EPOCH_S + second, "shop", {"pool_in_use": in_use(second), "pool_size": 5.0, "pool_waiting": waiting}
    )


def test_a_pool_that_is_always_full_is_found(tmp_path: Path) -> None:
    (full,) = findings(recorded(tmp_path, pool(lambda _: 5.0)))
    assert (full.kind, full.source, full.series) == ("pool-full", "shop", "pool_in_use")
    assert (full.observed, full.reference, full.share) == (5, 5, 1)
    assert full.start_s == pytest.approx(6, abs=1)
    assert full.end_s == pytest.approx(26, abs=1)


def test_a_pool_with_room_most_of_the_time_is_not_a_finding(tmp_path: Path) -> None:
    assert not findings(recorded(tmp_path, pool(lambda second: 5.0 if second % 3 == 0 else 2.0)))


def test_requests_that_wait_for_a_connection_are_found(tmp_path: Path) -> None:
    found = findings(recorded(tmp_path, pool(lambda _: 5.0, waiting=7.0)))
    assert [(finding.kind, finding.observed) for finding in found] == [("pool-full", 5), ("pool-waits", 7)]


@pytest.mark.parametrize(
    ("source", "gauges", "kind"),
    [
        ("db", {"connections_waiting_for_locks": 3.0}, "lock-waits"),
        ("db", {"connections": 95.0, "max_connections": 100.0}, "connections-exhausted"),
        ("db", {"connections": 50.0, "max_connections": 100.0, "connections_waiting_for_locks": 0.0}, None),
    ],
)
def test_a_server_at_its_limit_is_found(tmp_path: Path, source: str, gauges: dict[str, float], kind: str) -> None:
    found = findings(recorded(tmp_path, lambda second: MetricReading(EPOCH_S + second, source, gauges)))
    assert [finding.kind for finding in found] == ([kind] if kind else [])


@pytest.mark.parametrize(("until_s", "kinds"), [(16, []), (26, ["lock-waits"])])
def test_what_happens_under_a_fault_is_no_finding(tmp_path: Path, until_s: int, kinds: list[str]) -> None:
    def read(second: int) -> MetricReading:
        waiting = 3.0 if 12 <= second < until_s else 0.0
        return MetricReading(EPOCH_S + second, "db", {"connections_waiting_for_locks": waiting})

    run = recorded(tmp_path, read)
    write_faults(run.folder, Broken("orders locked", 12.0, 16.0))
    assert [finding.kind for finding in findings(run)] == kinds


def test_evictions_are_found(tmp_path: Path) -> None:
    def read(second: int) -> MetricReading:
        return MetricReading(EPOCH_S + second, "cache", {}, {"evicted_keys": 10.0 * second})

    (finding,) = findings(recorded(tmp_path, read))
    assert finding.kind == "evictions"
    assert finding.observed == pytest.approx(10)


@pytest.mark.parametrize(("hits", "kinds"), [(80.0, []), (40.0, ["cache-hits-fell"])])
def test_a_hit_ratio_that_fell_from_the_baseline_is_found(tmp_path: Path, hits: float, kinds: list[str]) -> None:
    def read(hits: float) -> Readings:
        return lambda second: MetricReading(
            EPOCH_S + second, "shop", {}, {"hits": hits * second, "reads": 100.0 * second}
        )

    earlier = measure(recorded(tmp_path, read(82.0), run_id="earlier"))
    run = recorded(tmp_path, read(hits))
    assert run.environment is not None
    fingerprint = run.environment.fingerprint
    baseline = Baseline(scenario="flash_sale", profile="default", fingerprint=fingerprint, runs=[earlier])
    write_json(run.folder.comparison, baseline.model_dump())
    found = findings(run)
    assert [finding.kind for finding in found] == kinds
    assert all(finding.reference == pytest.approx(0.82) for finding in found)
