"""The capacity that the steps of a phase show, and how sure it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.capacity import Step, capacity_of, steps_of
from harness.analysis.measurement import measure
from harness.plan.model.phase import SearchRange
from harness.record.measurement import ALL
from harness.record.second_table import SECOND, SecondTable
from harness.recording.run import read_run
from tests.support.judged import judge
from tests.support.latencies import Floats, Latency, lognormal
from tests.support.plans import gate, stress
from tests.support.recordings import WorkerState, record_run


def step(level: float, *, held: bool | None, certain: bool = True, limited: bool = False) -> Step:
    return Step(0, level, 0.0, 5.0, held, certain, limited)


def found(*steps: Step) -> tuple[float, float, float | None] | None:
    interval = capacity_of(steps)
    return None if interval is None else (interval.value, interval.low, interval.high)


def test_the_interval_lies_between_what_held_and_what_broke_for_certain() -> None:
    clear = [step(100, held=True), step(200, held=False)]
    assert found(*clear) == (100, 100, 200)
    doubtful = [step(120, held=True, certain=False), step(150, held=False, certain=False)]
    assert found(*clear, *doubtful) == (120, 100, 200)


def test_a_level_that_held_above_one_that_broke_counts_for_nothing() -> None:
    assert found(step(100, held=True), step(200, held=False), step(300, held=True)) == (100, 100, 200)


def test_what_never_broke_has_no_upper_end_and_what_broke_at_once_no_lower() -> None:
    assert found(step(100, held=True), step(200, held=True, certain=False)) == (200, 100, None)
    assert found(step(100, held=False)) == (0, 0, 100)
    assert found(step(100, held=None)) is None


def test_a_step_that_the_generator_limited_shows_nothing_of_the_target() -> None:
    assert found(step(100, held=True), step(200, held=False, limited=True)) == (100, 100, None)
    assert found(step(100, held=True, limited=True)) is None


STEPS = stress((50, 100, 150), every=10, rate=True, until="p95 > 100ms").model_copy(update={"measured": False})


def overloaded_at(limit_s: float) -> Latency:
    """20 ms, and from that second of the run on 900 ms."""

    def draw(rng: np.random.Generator, at_s: Floats, endpoint: str) -> Floats:
        return np.where(at_s < limit_s, 1.0, 45.0) * lognormal(20, 0.2)(rng, at_s, endpoint)

    return draw


def test_a_stress_phase_has_a_capacity_that_gates_and_reports_read(tmp_path: Path) -> None:
    gates = [gate("capacity >= 90/s"), gate("capacity >= 120/s"), gate("capacity_users >= 10", "stress")]
    folder = record_run(
        tmp_path, phases=[STEPS], gates=gates, latency=overloaded_at(20.25), held_steps=2, requests_per_user_s=1
    )
    summary = judge(folder)
    (phase,) = summary.phases
    assert (phase.capacity, phase.capacity_interval) == (100, (100, 150))
    assert [(result.status, result.phase) for result in summary.gates] == [
        ("pass", "stress"), ("inconclusive", "stress"), ("inconclusive", "stress"),
    ]  # fmt: skip
    assert [result.code for result in summary.gates[1:]] == ["gate-capacity-uncertain", "gate-no-capacity"]
    (measured,) = measure(read_run(folder)).phases
    assert measured.endpoints[ALL].figures.keys() == {"capacity"}


def test_a_level_that_broke_for_certain_is_above_the_capacity(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path, phases=[STEPS], gates=[gate("capacity >= 150/s")], latency=overloaded_at(20.25), held_steps=2,
        requests_per_user_s=1,
    )  # fmt: skip
    assert [result.code for result in judge(folder).gates] == ["gate-under-limit"]


def test_a_limit_below_the_lowest_level_takes_a_lower_one(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path, phases=[STEPS], gates=[gate("capacity >= 20/s")], latency=overloaded_at(0.0), held_steps=0,
        requests_per_user_s=1,
    )  # fmt: skip
    (result,) = judge(folder).gates
    assert (result.code, result.params["lowest"]) == ("gate-capacity-below-levels", "50 arrivals/s")


def test_a_gate_on_a_search_that_ran_out_of_time_asks_for_more(tmp_path: Path) -> None:
    search = STEPS.model_copy(update={"kind": "search", "search": SearchRange(start=50, to=150, shortest_s=10)})
    folder = record_run(
        tmp_path, phases=[search], gates=[gate("capacity >= 120/s")], latency=lognormal(20, 0.2), stop_at_s=22
    )
    assert [result.code for result in judge(folder).gates] == ["gate-search-cut-short"]


def test_a_target_that_does_not_respond_at_a_level_did_not_hold_it(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[STEPS], latency=lognormal(20, 0.2), requests_per_user_s=1)
    run = read_run(folder)
    (whole,) = run.phases
    table = whole.table
    others, own = np.flatnonzero(table.segment != 1), np.flatnonzero(table.segment == 1)
    hung = table.of(np.concatenate([others, own[:1], own[-1:]]))
    hung.rows[-1, SECOND] = 99  # it ended long after its step

    def held(table: SecondTable) -> list[bool | None]:
        return [step.held for step in steps_of(replace(whole, table=table), run.journal)]

    assert held(table) == [True, True, True]
    assert held(hung) == [True, False, True]
    assert found(*steps_of(replace(whole, table=hung), run.journal)) == (50, 50, 100)
    assert held(table.of(np.concatenate([others, own[:1]]))) == [True, True, True], "a burst, then think time"
    assert held(table.of(np.flatnonzero(table.segment > 2))) == [None, None, None]


def test_a_busy_generator_is_not_taken_for_the_target(tmp_path: Path) -> None:
    def worker(at_s: float) -> WorkerState:
        return WorkerState(cpu=1.0 if at_s > 20 else 0.2, lag_ms=400.0 if at_s > 20 else 0.0)

    folder = record_run(
        tmp_path, phases=[stress((50, 100, 150), every=10, until="p95 > 100ms")], gates=[gate("capacity_users >= 90")],
        latency=overloaded_at(20.25), held_steps=2, worker=worker,
    )  # fmt: skip
    summary = judge(folder)
    (phase,) = summary.phases
    assert [step.generator_limited for step in phase.steps] == [False, False, True]
    assert (phase.capacity, phase.capacity_interval) == (100, (100, None))
    assert (summary.verdict, summary.gates[0].status) == ("pass", "pass")


@pytest.mark.parametrize(
    ("taken_s", "codes"),
    [
        ((0.0, 20.0), ["gate-reached-limit", "gate-under-limit"]),
        ((20.0, 30.0), ["gate-reached-limit", "gate-step-contaminated"]),
    ],
)
def test_a_step_that_broke_beside_others_fails_no_gate(
    tmp_path: Path, taken_s: tuple[float, float], codes: list[str]
) -> None:
    """Others only add time: what held in spite of them, held."""
    quiet, busy = (
        {"target": {"cpu_percent": 50.0, "waiting_percent": waits}, "machine": {"others_percent": used, "cores": 2.0}}
        for waits, used in ((1.0, 2.0), (60.0, 180.0))
    )
    folder = record_run(
        tmp_path,
        phases=[STEPS],
        gates=["capacity >= 90/s", "capacity >= 160/s"],
        lead_in_s=0.0,
        latency=overloaded_at(20.0),
        held_steps=2,
        requests_per_user_s=1,
        sampled=lambda at_s: busy if taken_s[0] <= at_s < taken_s[1] else quiet,
    )
    summary = judge(folder)
    assert [result.code for result in summary.gates] == codes
    if codes[1] == "gate-step-contaminated":
        (found,) = summary.explanations
        assert [cause.what.code for cause in found.causes] == ["cause-cores-taken-in-steps"]
