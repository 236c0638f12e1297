"""Each kind of phase: its segments, its description, and what it does after another."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.plan.model.phase import Phase, SearchRange, Segment
from harness.plan.phases import KINDS, phase_kind
from harness.plan.phases.base import DEFAULT_MAX_USERS, NO_LOAD, Level
from harness.plan.phases.stress import Staircase
from tests.unit.plan.support import plan_of

NO_SAMPLING = "sampling = {'memory': False}\n"


def phases_of(folder: Path, *calls: str) -> tuple[Phase, ...]:
    return plan_of(folder, f"{NO_SAMPLING}phases = [{', '.join(calls)}]").phases


def shape_of(phase: Phase) -> list[tuple[float, float, float]]:
    return [(part.start, part.end, part.duration_s) for part in phase.segments]


@pytest.mark.parametrize(
    ("call", "model", "segments", "measured", "description"),
    [
        ("ramp(users=50, over='15s')", "closed", [(0, 50, 15)], False, "0 → 50 users over 15 s"),
        ("ramp(rate='200/s', over='1m')", "open", [(0, 200, 60)], False, "0 → 200 arrivals/s over 1 min"),
        ("ramp(users=(50, 10), over=5)", "closed", [(50, 10, 5)], False, "50 → 10 users over 5 s"),
        ("steady(users=1, hold='30s')", "closed", [(1, 1, 30)], True, "1 user for 30 s"),
        ("steady(rate=5000, hold='1m30s')", "open", [(5000, 5000, 90)], True, "5,000 arrivals/s for 1 min 30 s"),
        (
            "stress(users=(50, 160, 50), every='5s', until='p95 > 500ms')",
            "closed",
            [(50, 50, 5), (100, 100, 5), (150, 150, 5), (160, 160, 5)],
            False,
            "50 → 160 users, +50 every 5 s, until p95 > 500ms",
        ),
        (
            "stress(rate=(0.1, 0.3, 0.1), every=1, until='error_rate > 1%')",
            "open",
            [(0.1, 0.1, 1), (0.2, 0.2, 1), (0.3, 0.3, 1)],
            False,
            "0.1 → 0.3 arrivals/s, +0.1 every 1 s, until error_rate > 1%",
        ),
        (
            "spike(users=200, over='2s', hold='10s', base=50)",
            "closed",
            [(50, 200, 2), (200, 200, 10), (200, 50, 2)],
            True,
            "50 → 200 users within 2 s, held for 10 s, and back",
        ),
        (
            "spike(rate=200, hold='10s', base='2.5/s')",
            "open",
            [(2.5, 200, 1), (200, 200, 10), (200, 2.5, 1)],
            True,
            "2.5 → 200 arrivals/s within 1 s, held for 10 s, and back",
        ),
        (
            "search(rate=('20/s', 90), until='p95 > 1s', within='5m')",
            "open",
            [(20, 90, 300)],
            False,
            "the capacity between 20 and 90 arrivals/s, steps of 6 s or longer, until p95 > 1s",
        ),
        ("pause('5s')", "closed", [(0, 0, 5)], False, "no load for 5 s"),
    ],
)
def test_a_kind_comes_down_to_segments(
    tmp_path: Path,
    call: str,
    model: str,
    segments: list[tuple[float, float, float]],
    measured: bool,
    description: str,
) -> None:
    (phase,) = phases_of(tmp_path, call)
    assert (phase.model, shape_of(phase), phase.measured, phase.description) == (model, segments, measured, description)
    assert phase.kind == phase.name == call.partition("(")[0]


def test_a_search_states_its_range_and_what_follows_begins_at_its_first_level(tmp_path: Path) -> None:
    search, after = phases_of(tmp_path, "search(users=(2, 90), until='p95 > 1s', every='9s')", "ramp(users=50, over=1)")
    assert search.search == SearchRange(start=2, to=90, shortest_s=9)
    assert shape_of(after) == [(2, 50, 1)]


def test_the_open_model_may_bound_its_users_and_spread_its_arrivals(tmp_path: Path) -> None:
    (by_default,) = phases_of(tmp_path, "steady(rate=9, hold=1)")
    assert by_default.max_users == DEFAULT_MAX_USERS
    (phase,) = phases_of(tmp_path, "steady(rate=9, hold=1, max_users=40, spacing='poisson')")
    assert (phase.max_users, phase.spacing) == (40, "poisson")


def test_a_ramp_begins_where_the_phase_before_ended_in_the_same_model(tmp_path: Path) -> None:
    phases = phases_of(
        tmp_path, "steady(users=20, hold=1)", "ramp(users=50, over=1)", "ramp(rate=9, over=1)", "ramp(rate=0, over=1)"
    )
    assert [shape_of(phase)[0][:2] for phase in phases[1:]] == [(20, 50), (0, 9), (9, 0)]


def test_a_ramp_after_stress_does_not_begin_at_a_level_that_may_never_have_run(tmp_path: Path) -> None:
    phases = phases_of(tmp_path, "stress(users=(10, 90, 10), every=1, until='p95 > 1s')", "ramp(users=50, over=1)")
    assert shape_of(phases[1]) == [(10, 50, 1)]


def test_a_ramp_after_a_pause_begins_at_nothing(tmp_path: Path) -> None:
    phases = phases_of(tmp_path, "steady(users=20, hold=1)", "pause(1)", "ramp(users=50, over=1)")
    assert shape_of(phases[2]) == [(0, 50, 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_the_registry_is_a_function_for_scenarios(kind: str) -> None:
    assert phase_kind(kind).kind == kind
    call = getattr(harness, kind)(name="x").to_dict()
    assert (call["call"], call["arguments"], call["file"]) == (kind, {"name": "x"}, __file__)
    assert getattr(harness, kind).__doc__ == phase_kind(kind).call.__doc__


LEVELS = st.builds(Level, st.sampled_from(["closed", "open"]), st.integers(0, 500))
TABLES = st.one_of(
    st.fixed_dictionaries({"kind": st.just("ramp"), "users": st.integers(0, 900), "duration": st.integers(1, 99)}),
    st.fixed_dictionaries({"kind": st.just("ramp"), "rate": st.floats(0, 9e4), "duration": st.floats(0.01, 99)}),
    st.fixed_dictionaries({"kind": st.just("steady"), "rate": st.floats(0.01, 9e4), "duration": st.integers(1, 99)}),
    st.fixed_dictionaries({"kind": st.just("spike"), "users": st.integers(901, 999), "hold": st.integers(1, 99)}),
    st.fixed_dictionaries({"kind": st.just("pause"), "duration": st.integers(1, 99)}),
)


@given(st.lists(TABLES, min_size=1, max_size=5), LEVELS)
def test_within_a_phase_the_load_never_jumps_nor_falls_below_nothing(
    tables: list[dict[str, object]], level: Level
) -> None:
    for table in tables:
        kind = str(table.pop("kind"))
        config = phase_kind(kind).model_validate({**table, "name": "x"})
        phase = config.resolve(level)
        for part, following in pairwise(phase.segments):
            assert part.end == following.start
        if kind == "ramp":
            assert phase.segments[0].start == level.in_model(phase.model)
        assert all(part.start >= 0 and part.end >= 0 and part.duration_s > 0 for part in phase.segments)
        level = config.level_after(phase)
        assert level == Level(phase.model, phase.segments[-1].end)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 100))
def test_steps_go_up_evenly_and_end_at_the_last_level(first: int, rise: int, step: int) -> None:
    stairs = Staircase[int].model_validate({"from": first, "to": first + rise, "step": step, "every": 1})
    levels = stairs.levels()
    rises = [after - before for before, after in pairwise(levels)]
    assert (levels[0], levels[-1]) == (first, first + rise)
    assert all(each == step for each in rises[:-1])
    assert 0 < rises[-1] <= step


def test_the_memory_pass_repeats_the_load_of_the_last_steady_phase(tmp_path: Path) -> None:
    calls = "steady(users=9, hold=1), steady(rate=7, hold=1, max_users=3, spacing='poisson'), spike(users=99, hold=1)"
    phase = plan_of(tmp_path, f"phases = [{calls}]").phases[-1]
    assert (phase.name, phase.kind, phase.model, phase.measured) == ("diagnose", "diagnose", "open", False)
    assert phase.segments == (Segment(start=7, end=7, duration_s=10),)
    assert (phase.max_users, phase.spacing) == (3, "poisson")
    assert phase.description == "7 arrivals/s for 10 s, memory recorded"


@pytest.mark.parametrize(
    ("calls", "level"),
    [
        ("ramp(users=30, over=1), ramp(users=5, over=1), stress(users=(50, 90, 10), every=1, until='p95 > 1s')", 30),
        ("stress(users=(50, 90, 10), every=1, until='p95 > 1s')", 50),
        ("pause(1), spike(users=99, hold=1)", 99),
    ],
)
def test_without_a_steady_phase_it_takes_a_load_that_surely_ran(tmp_path: Path, calls: str, level: float) -> None:
    phase = plan_of(tmp_path, f"phases = [{calls}]").phases[-1]
    assert (phase.name, phase.segments[0].end) == ("diagnose", level)


def test_there_is_no_memory_pass_where_no_load_is_known(tmp_path: Path) -> None:
    assert [phase.kind for phase in plan_of(tmp_path, "phases = [pause(1)]").phases] == ["pause"]


def test_no_load_is_not_a_level_of_any_model() -> None:
    assert (NO_LOAD.in_model("closed"), NO_LOAD.in_model("open"), str(NO_LOAD)) == (0, 0, "0 users")
