"""Seconds in which others took the cores are found, and left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.contamination import contamination_of
from harness.analysis.measurement import endpoints_of, measure
from harness.record.measurement import ALL
from harness.recording import RunRecording, open_recording
from tests.support.latencies import Floats, Latency
from tests.support.plans import steady
from tests.support.recordings import WorkerState, record_run

Sampled = Callable[[float], Mapping[str, Mapping[str, float]]]


def recorded(folder: Path, sampled: Sampled, *, latency: Latency | None = None, starved: float = 0.0) -> RunRecording:
    found = record_run(
        folder,
        phases=[steady(rate=100, seconds=30)],
        lead_in_s=0.0,
        sampled=sampled,
        latency=latency,
        worker=lambda _: WorkerState(starved=starved),
    )
    run = open_recording(found)
    assert isinstance(run, RunRecording)
    return run


def state(*, waiting: float, others: float, steal: float = 0.0, cpu: float = 50.0) -> dict[str, dict[str, float]]:
    return {
        "target": {"cpu_percent": cpu, "waiting_percent": waiting},
        "machine": {"others_percent": others, "steal_percent": steal, "cores": 2},
    }


def from_to(begin_s: float, end_s: float, during: dict[str, dict[str, float]]) -> Sampled:
    return lambda at_s: during if begin_s <= at_s < end_s else state(waiting=1, others=2)


@pytest.mark.parametrize(
    ("during", "starved", "contaminated"),
    [
        (state(waiting=30, others=150), 0.0, True),
        (state(waiting=30, others=2, steal=40), 0.0, True),
        (state(waiting=0, others=150), 0.3, True),  # the load generator was starved
        (state(waiting=2, others=150), 0.0, False),  # on other cores
        (state(waiting=600, others=2, cpu=195), 0.0, False),  # its own threads want more than there is
        (state(waiting=600, others=19, cpu=180), 0.0, False),
        (state(waiting=600, others=60, cpu=140), 0.0, True),
        ({"target": {"waiting_percent": 30}, "machine": {}}, 0.0, False),  # others are not known
    ],
)
def test_a_second_is_contaminated_if_others_took_the_cores_from_somebody(
    tmp_path: Path, during: dict[str, dict[str, float]], starved: float, contaminated: bool
) -> None:
    run = recorded(tmp_path, from_to(10, 12, during), starved=starved)
    found = contamination_of(run.phases[0], run)
    # Readings are taken in the middle of a second: those of seconds 10 and 11 touch 9 to 11.
    expected = [9, 10, 11] if contaminated else []
    assert [second for second, bad in enumerate(found.seconds) if bad] == expected
    assert found.share == len(expected) / 30


def test_a_second_is_clean_again_when_the_queue_has_cleared(tmp_path: Path) -> None:
    def queued_for_2_s(rng: object, at_s: Floats, endpoint: str) -> Floats:  # noqa: ARG001
        return np.where((at_s >= 5) & (at_s < 10), 2000.0, 20.0)

    run = recorded(tmp_path, from_to(5, 10, state(waiting=30, others=150)), latency=queued_for_2_s)
    found = contamination_of(run.phases[0], run)
    assert [second for second, bad in enumerate(found.seconds) if bad] == list(range(4, 12))


@pytest.mark.parametrize(("end_s", "enough"), [(10, True), (14, True), (17, False)])
def test_half_of_a_phase_has_to_be_clean(tmp_path: Path, end_s: float, enough: bool) -> None:
    run = recorded(tmp_path, from_to(0, end_s, state(waiting=30, others=150)))
    assert contamination_of(run.phases[0], run).leaves_enough == enough
    (phase,) = measure(run).phases
    assert phase.too_contaminated != enough
    assert phase.contaminated == pytest.approx(end_s / 30, abs=0.01)


def test_clean_figures_leave_contaminated_seconds_out(tmp_path: Path) -> None:
    def slow_from_5_to_10(rng: object, at_s: Floats, endpoint: str) -> Floats:  # noqa: ARG001
        return np.where((at_s >= 5) & (at_s < 10), 220.0, 20.0)

    taken = state(waiting=30, others=150, cpu=100)
    run = recorded(tmp_path, from_to(5, 11, taken), latency=slow_from_5_to_10)
    record = run.phases[0]
    whole, clean = (
        endpoints_of(record, run, left_out)[ALL] for left_out in (frozenset(), contamination_of(record, run).left_out)
    )
    assert (whole.seconds, clean.seconds) == (30, 23)
    assert whole.figures["p95"].value == pytest.approx(220, rel=0.01)
    assert clean.figures["p99"].value == pytest.approx(20, rel=0.01)
    assert clean.figures["max"].value == pytest.approx(20, rel=0.01)
    assert clean.figures["throughput"].value == pytest.approx(100, rel=0.05)
    assert whole.figures["cpu_per_request"].value > 1.1 * clean.figures["cpu_per_request"].value
    assert measure(run).figure("steady", ALL, "p95") == clean.figures["p95"]


@pytest.mark.parametrize(("end_s", "limited"), [(12, False), (20, True)])
def test_a_generator_that_others_starved_is_judged_by_the_clean_seconds(
    tmp_path: Path, end_s: float, limited: bool
) -> None:
    folder = record_run(
        tmp_path,
        phases=[steady(users=20, seconds=30)],
        lead_in_s=0.0,
        sampled=from_to(0, end_s, state(waiting=30, others=150)),
        worker=lambda at_s: WorkerState(cpu=0.5, starved=0.45 if at_s < end_s else 0.0),
    )
    (phase,) = measure(open_recording(folder)).phases
    assert bool(phase.generator_limited) == limited
