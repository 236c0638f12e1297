"""A generator that could not keep up says so; one that could is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.generator import GeneratorState, TakenCores, waiting_for_users
from harness.analysis.generator_summary import generator_of
from harness.analysis.lateness import without_lateness
from harness.messages import Message
from harness.metrics.statistics import Quantile
from harness.plan.model.phase import Phase, Segment
from harness.plan.model.target import Variant
from harness.record.measurement import Interval
from harness.recording.run import RunRecording, read_run
from tests.support.endpoint_seconds import histogram_of
from tests.support.latencies import Latency, lognormal
from tests.support.plans import pause, steady
from tests.support.recordings import WorkerState, record_run


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


def limit(run: RunRecording) -> Message | None:
    return GeneratorState(run.phases[0], run.journal).limit()


def strain(run: RunRecording) -> Message | None:
    return GeneratorState(run.phases[0], run.journal).strain()


def limited(run: RunRecording) -> Message:
    found = limit(run)
    assert found is not None
    return found


def needed(found: Message | None) -> object:
    assert found is not None
    advice = found.params["advice"]
    assert isinstance(advice, Message)
    return advice.params.get("needed")


def shares(found: Message) -> TakenCores:
    taken = found.params["taken"]
    assert isinstance(taken, TakenCores)
    return TakenCores(*(round(share, 6) for share in (taken.starved, taken.throttled, taken.stolen)))


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
    found = limited(recorded(tmp_path / "b", *[*[BUSY] * 3, *[FINE] * 7]))
    assert found.code == "generator-busy"
    assert (found.params["worker"], found.params["busy"], found.params["seconds"]) == (1, 6, 20)


def test_a_rate_limit_counts_where_more_than_1_in_100_requests_waited(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "a", WorkerState(held=1), *[FINE] * 19)
    requests = int(folder.phases[0].table.requests.sum())
    assert requests > 100
    assert limit(folder) is None
    found = limited(recorded(tmp_path / "b", WorkerState(held=requests), FINE, FINE, FINE))
    assert found.code == "generator-rate-limited"
    assert found.params == {"waited": 5, "seconds": 20, "most": requests}


def test_seconds_with_waiting_are_counted_once_where_a_worker_lacks_one(tmp_path: Path) -> None:
    run = recorded(tmp_path, WorkerState(held=1000), FINE, FINE, FINE, workers=2)
    del run.journal.seconds[2].workers[0]
    assert limited(run).params == {"waited": 5, "seconds": 20, "most": 2000}


def test_where_no_request_was_sent_more_workers_would_not_have_helped(tmp_path: Path) -> None:
    assert limit(recorded(tmp_path, BUSY, requests_per_user_s=0)) is None


def test_it_says_how_many_workers_were_needed(tmp_path: Path) -> None:
    one = limited(recorded(tmp_path / "a", BUSY))
    three = limited(recorded(tmp_path / "b", BUSY, workers=3))
    assert (needed(one), needed(three)) == (2, 5)
    assert "--workers 2" in str(one)


def test_a_blocked_loop_distorts_fast_responses_not_slow_ones(tmp_path: Path) -> None:
    stalling = WorkerState(cpu=0.5, lag_ms=80)
    found = limited(recorded(tmp_path / "a", stalling, latency=lognormal(20)))
    assert (found.code, found.params["stall_ms"]) == ("generator-stalled", 80)
    assert limit(recorded(tmp_path / "b", stalling, latency=lognormal(900))) is None
    assert limit(recorded(tmp_path / "c", WorkerState(cpu=0.5, lag_ms=30), latency=lognormal(20))) is None


def test_a_loop_that_stalls_once_is_fine(tmp_path: Path) -> None:
    assert limit(recorded(tmp_path, WorkerState(lag_ms=300), *[WorkerState(lag_ms=2)] * 9)) is None


def test_a_worker_that_is_kept_from_its_core_is_as_bad_as_a_busy_one(tmp_path: Path) -> None:
    starved = limited(recorded(tmp_path / "a", WorkerState(cpu=0.4, starved=0.55, stolen=0.1)))
    assert shares(starved) == TakenCores(starved=0.55, throttled=0, stolen=0.1)
    quota = limited(recorded(tmp_path / "b", WorkerState(cpu=0.5, starved=0.45, throttled=0.45)))
    assert shares(quota) == TakenCores(starved=0.45, throttled=0.45, stolen=0)
    assert str(TakenCores(starved=0.04, throttled=0.45, stolen=0)) == (
        " (its control group's CPU quota was used up for 45%)"
    )
    assert limit(recorded(tmp_path / "c", WorkerState(cpu=0.4, starved=0.4))) is None


def test_needed_workers_follow_from_the_cpu_that_an_iteration_costs(tmp_path: Path) -> None:
    # 0.97 of a core for 200 iterations a second: 4.85 ms each. At most 500 a second are asked for: 2.4 cores' work.
    climbing = steady(rate=200, seconds=20).model_copy(
        update={"segments": (Segment(start=0, end=500, duration_s=10), Segment(start=100, end=100, duration_s=10))}
    )
    assert needed(strain(recorded(tmp_path, BUSY, phase=climbing))) == pytest.approx(0.97 / 175 * 500 / 0.6, abs=1)


def test_more_workers_are_advised_only_where_they_would_help(tmp_path: Path) -> None:
    starved = limited(recorded(tmp_path / "a", WorkerState(cpu=0.3, starved=0.65)))
    assert needed(starved) is None
    in_bursts = limited(recorded(tmp_path / "b", *[BUSY] * 3, *[WorkerState(cpu=0.2)] * 7))
    assert needed(in_bursts) == 2


def test_arrivals_late_though_users_are_free_are_the_generators_doing(tmp_path: Path) -> None:
    open_phase = steady(rate=100, seconds=20)
    late = WorkerState(cpu=0.5, late=60)
    run = recorded(tmp_path / "a", late, phase=open_phase, latency=always(20), start_delay=always(9))
    found = strain(run)
    assert found is not None
    assert found.code == "generator-late"
    assert found.params["late_ms"] == pytest.approx(9, rel=0.01)
    assert needed(found) is None
    assert limit(run) is None, "all load was put on"
    slight = recorded(tmp_path / "b", late, phase=open_phase, latency=always(20), start_delay=always(1.5))
    assert strain(slight) is None
    seldom = recorded(tmp_path / "c", late, phase=open_phase, latency=always(20), start_delay=one_in(30, 9))
    assert strain(seldom) is None


def test_few_arrivals_show_no_lateness(tmp_path: Path) -> None:
    slow = steady(rate=0.3, seconds=20)
    run = recorded(tmp_path, FINE, phase=slow, latency=always(2), start_delay=always(9))
    assert 0 < int(run.phases[0].table.requests.sum()) < 20
    assert strain(run) is None
    assert limit(run) is None


def test_a_load_that_falls_behind_its_goal_was_not_put_on(tmp_path: Path) -> None:
    open_phase = steady(rate=100, seconds=20)
    slipping = recorded(tmp_path / "a", FINE, phase=open_phase, start_delay=lambda _, at_s, __: 100 * at_s)
    found = limited(slipping)
    assert found.code == "generator-behind"
    assert found.params["late_ms"] == pytest.approx(1900, rel=0.02)
    catching_up = recorded(tmp_path / "b", FINE, phase=open_phase, start_delay=lambda _, at_s, __: 50 * at_s)
    assert limit(catching_up) is None
    assert strain(catching_up) is not None


def test_a_busy_worker_that_keeps_up_with_the_arrivals_is_not_a_limit(tmp_path: Path) -> None:
    busy = recorded(tmp_path, BUSY, phase=steady(rate=100, seconds=20))
    assert limit(busy) is None
    found = strain(busy)
    assert found is not None
    assert found.code == "generator-busy"


def test_arrivals_that_wait_for_busy_users_are_the_targets_doing(tmp_path: Path) -> None:
    late = WorkerState(cpu=0.5, late=90, waiting=12)
    open_phase = steady(rate=100, seconds=20).model_copy(update={"max_users": 5})
    run = recorded(tmp_path, late, phase=open_phase, latency=always(20), start_delay=always(400))
    assert limit(run) is None
    assert strain(run) is None
    warning = waiting_for_users(run.phases[0], run)
    assert warning is not None
    assert warning.params == {"phase": "steady", "users": 5, "full": 20, "seconds": 20}


def test_arrivals_that_wait_for_a_new_user_do_not_wait_for_busy_ones(tmp_path: Path) -> None:
    roomy = steady(rate=100).model_copy(update={"max_users": 40})
    run = recorded(tmp_path, WorkerState(waiting=1), phase=roomy)
    assert waiting_for_users(run.phases[0], run) is None


def test_each_build_of_a_duet_has_max_users_of_its_own(tmp_path: Path) -> None:
    def waited(most: int) -> set[str]:
        phase = steady(rate=100, seconds=20).model_copy(update={"max_users": most})
        run = recorded(tmp_path / str(most), WorkerState(waiting=2), phase=phase, workers=2)
        targets = tuple(Variant(name=name, target=run.plan.target) for name in "ab")
        duet = replace(run, plan=run.plan.model_copy(update={"targets": targets}))
        # Of five users, the worker of build B has three.
        return {name for name in "ab" if waiting_for_users(replace(run.phases[0], variant=name), duet)}

    assert (waited(5), waited(3), waited(2)) == (set(), {"b"}, {"a", "b"})


@pytest.mark.parametrize("phase", [steady(rate=100), steady(users=10)])
def test_no_one_waited(tmp_path: Path, phase: Phase) -> None:
    run = recorded(tmp_path, FINE, phase=phase)
    assert waiting_for_users(run.phases[0], run) is None


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


def low_ms(undisturbed_us: np.ndarray, late_us: np.ndarray, q: float) -> float:
    """The lower end of an exact percentile of requests that were late by so much, one by one."""
    responses = histogram_of((undisturbed_us + late_us).astype(np.int64))
    exact = Interval.exactly(responses.quantile_us(q) / 1000)
    return without_lateness(exact, Quantile(q), responses, histogram_of(late_us.astype(np.int64))).low


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("seed", range(5))
def test_the_interval_reaches_down_to_what_the_percentile_was_without_lateness(q: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    undisturbed_us = rng.lognormal(8, 0.7, 20_000)
    late_us = np.where(rng.random(20_000) < rng.uniform(0, 0.3), rng.lognormal(8.5, 1.2, 20_000), 0)
    assert low_ms(undisturbed_us, late_us, q) <= np.quantile(undisturbed_us, q) / 1000 * 1.002


def test_a_few_late_arrivals_do_not_make_a_percentile_unknown() -> None:
    undisturbed_us = np.random.default_rng(1).lognormal(8, 0.1, 5_000)
    late_us = np.where(np.arange(5_000) % 100 == 0, 9_000, 0)
    p95_ms = np.quantile(undisturbed_us, 0.95) / 1000
    assert 0.9 * p95_ms < low_ms(undisturbed_us, late_us, 0.95) < p95_ms
