"""A generator that could not keep up says so; one that could is left alone."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.generator import generator_limit, generator_of, waiting_for_users
from harness.plan.model import Phase, Segment
from harness.recording.run import RunRecording, read_run
from tests.support.recordings import Latency, WorkerState, lognormal, pause, record_run, steady


def recorded(tmp_path: Path, *states: WorkerState, phase: Phase | None = None, **more: object) -> RunRecording:
    """A phase of 20 s in which worker states take turns, second by second."""
    folder = record_run(
        tmp_path,
        phases=[phase or steady(seconds=20)],
        lead_in_s=0,
        worker=lambda second: states[int(second) % len(states)],
        **more,  # type: ignore[arg-type]  # passed through by name
    )
    return read_run(folder)


def limit(run: RunRecording) -> str | None:
    return generator_limit(run.phases[0], run.journal)


def always(milliseconds: float) -> Latency:
    return lambda _, at_s, __: 0 * at_s + milliseconds


def one_in(count: int, milliseconds: float) -> Latency:
    return lambda _, at_s, __: milliseconds * (np.arange(len(at_s)) % count == 0)


FINE = WorkerState(cpu=0.6)
BUSY = WorkerState(cpu=0.97)


def test_a_worker_at_60_percent_is_fine(tmp_path: Path) -> None:
    assert limit(recorded(tmp_path, FINE)) is None


def test_a_busy_second_in_ten_is_fine_three_are_not(tmp_path: Path) -> None:
    assert limit(recorded(tmp_path / "a", *[BUSY, *[FINE] * 9])) is None
    said = limit(recorded(tmp_path / "b", *[*[BUSY] * 3, *[FINE] * 7]))
    assert said is not None
    assert said.startswith("load worker 1 had work for more than 90% of its core in 6 of 20 s")


def test_a_rate_ceiling_is_the_limit_where_more_than_a_request_in_100_waited_for_it(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "a", WorkerState(held=1), *[FINE] * 19)
    requests = sum(entry.requests for _, entry in folder.phases[0].endpoint_seconds)
    assert requests > 100
    assert limit(folder) is None
    said = limit(recorded(tmp_path / "b", WorkerState(held=requests), FINE, FINE, FINE))
    assert said is not None
    assert said.startswith("in 5 of 20 s requests waited, unsent, for the rate ceiling of their host (max_rate in ")
    assert f"up to {requests:,} in one" in said


def test_seconds_that_workers_waited_in_are_told_apart_where_one_lacks_a_second(tmp_path: Path) -> None:
    run = recorded(tmp_path, WorkerState(held=1000), FINE, FINE, FINE, workers=2)
    del run.journal.seconds[2].workers[0]
    said = limit(run)
    assert said is not None
    assert said.startswith("in 5 of 20 s requests waited")
    assert "up to 2,000 in one" in said


def test_where_no_request_was_sent_more_workers_would_not_have_helped(tmp_path: Path) -> None:
    assert limit(recorded(tmp_path, BUSY, requests_per_user_s=0)) is None


def test_it_says_how_many_workers_it_would_have_taken(tmp_path: Path) -> None:
    one = limit(recorded(tmp_path / "a", BUSY))
    three = limit(recorded(tmp_path / "b", BUSY, workers=3))
    assert one is not None
    assert "--workers 2" in one
    assert three is not None
    assert "--workers 5" in three


def test_a_loop_that_stands_still_distorts_fast_answers_not_slow_ones(tmp_path: Path) -> None:
    stalling = WorkerState(cpu=0.5, lag_ms=80)
    said = limit(recorded(tmp_path / "a", stalling, latency=lognormal(20)))
    assert said is not None
    assert "stood still for 80 ms" in said
    assert limit(recorded(tmp_path / "b", stalling, latency=lognormal(900))) is None
    assert limit(recorded(tmp_path / "c", WorkerState(cpu=0.5, lag_ms=30), latency=lognormal(20))) is None


def test_a_loop_that_stalls_once_is_fine(tmp_path: Path) -> None:
    assert limit(recorded(tmp_path, WorkerState(lag_ms=300), *[WorkerState(lag_ms=2)] * 9)) is None


def test_a_worker_that_is_kept_from_its_core_is_as_bad_as_a_busy_one(tmp_path: Path) -> None:
    said = limit(recorded(tmp_path / "a", WorkerState(cpu=0.4, starved=0.55, stolen=0.1)))
    assert said is not None
    assert "(other processes had the cores for 55% of the time, the hypervisor took 10% of the machine)" in said
    quota = limit(recorded(tmp_path / "b", WorkerState(cpu=0.5, starved=0.45, throttled=0.45)))
    assert quota is not None
    assert "its control group's CPU quota was used up for 45%" in quota
    assert limit(recorded(tmp_path / "c", WorkerState(cpu=0.4, starved=0.4))) is None


def test_the_workers_it_would_have_taken_are_reckoned_from_the_cpu_an_iteration_costs(tmp_path: Path) -> None:
    # 0.97 of a core for 200 iterations a second: 4.85 ms each. At most 500 a second are asked for: 2.4 cores' work.
    climbing = steady(rate=200, seconds=20).model_copy(
        update={"segments": (Segment(start=0, end=500, duration_s=10), Segment(start=100, end=100, duration_s=10))}
    )
    said = limit(recorded(tmp_path, BUSY, phase=climbing))
    assert said is not None
    count = int(re.search(r"--workers (\d+)", said)[1])  # type: ignore[index]  # it is there, or the test fails
    assert count == pytest.approx(0.97 / 175 * 500 / 0.6, abs=1)


def test_arrivals_that_begin_late_though_users_are_free_are_the_generators_fault(tmp_path: Path) -> None:
    open_phase = steady(rate=100, seconds=20)
    late = WorkerState(cpu=0.5, late=60)
    said = limit(recorded(tmp_path / "a", late, phase=open_phase, latency=always(20), start_delay=always(9)))
    assert said is not None
    assert said.startswith("one arrival in 20 was started more than 9.0 ms late although a user was free; ")
    slight = recorded(tmp_path / "b", late, phase=open_phase, latency=always(20), start_delay=always(1.5))
    assert limit(slight) is None
    seldom = recorded(tmp_path / "c", late, phase=open_phase, latency=always(20), start_delay=one_in(30, 9))
    assert limit(seldom) is None


def test_arrivals_that_wait_for_busy_users_are_the_targets_fault(tmp_path: Path) -> None:
    late = WorkerState(cpu=0.5, late=90, waiting=12)
    open_phase = steady(rate=100, seconds=20).model_copy(update={"max_users": 40})
    run = recorded(tmp_path, late, phase=open_phase, latency=always(20), start_delay=always(400))
    assert limit(run) is None
    warning = waiting_for_users(run.phases[0], run.journal)
    assert warning is not None
    assert "all 40 users were busy at the end of 20 of 20 s" in warning


@pytest.mark.parametrize("phase", [steady(rate=100), steady(users=10)])
def test_no_one_waited(tmp_path: Path, phase: Phase) -> None:
    run = recorded(tmp_path, FINE, phase=phase)
    assert waiting_for_users(run.phases[0], run.journal) is None


def test_a_pause_limits_nothing(tmp_path: Path) -> None:
    assert limit(recorded(tmp_path, BUSY, phase=pause())) is None


def test_the_generators_state_over_the_run(tmp_path: Path) -> None:
    run = recorded(
        tmp_path,
        WorkerState(cpu=0.3, lag_ms=1, late=2),
        WorkerState(cpu=0.7, lag_ms=9, late=0, starved=0.2, throttled=0.1, stolen=0.05),
        workers=2,
        events=[(1.0, "dropped", "1,204 arrivals still waited", 1204), (1.0, "limit broke", "…", 3)],
    )
    state = generator_of(run.journal, limited=False)
    assert (state.cpu_max, state.workers, state.lag_ms.max, state.dropped) == (0.7, 2, 9, 1204)
    assert state.late == 2 * sum(2 for second in run.journal.seconds if second.second % 2 == 0)
    assert (state.starved_max, state.throttled_max, state.stolen_max) == (0.2, 0.1, 0.05)
    assert not state.saturated
