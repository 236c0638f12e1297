"""The plan of a duet: the same load for two builds, in turns whose order is random and balanced."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from harness.errors import HarnessError, problems_of
from harness.plan.duet import BLOCK, FEWEST_BLOCKS, MARGIN, MARGIN_OF_KNOWN, TURN_S, duet_plan
from harness.plan.model.phase import EVERY, Phase
from harness.plan.model.run import RunPlan
from harness.plan.model.target import AttachedTarget, CommandTarget, Variant
from tests.support.plans import make_plan, ramp, steady, stress


def of(target: str, phases: list[Phase], gates: list[str]) -> RunPlan:
    plan = make_plan(phases, gates, seed=4)
    return plan.model_copy(update={"targets": (Variant(target=CommandTarget(command=target)),)})


def duet(phases: list[Phase], gates: list[str] | None = None, **more: Any) -> RunPlan:
    return duet_plan(of("old", phases, gates or []), of("new", phases, gates or []), **more)


def test_each_build_gets_half_of_each_block_in_an_order_that_cancels_drift() -> None:
    (phase,) = duet([steady(users=10, seconds=40)]).phases
    assert phase.duration_s == pytest.approx(40)
    assert {segment.duration_s for segment in phase.segments} == {TURN_S}
    blocks = [phase.turns[at : at + BLOCK] for at in range(0, len(phase.turns), BLOCK)]
    assert set(blocks) == {(0, 1, 1, 0), (1, 0, 0, 1)}


def test_a_short_phase_has_shorter_turns() -> None:
    (phase,) = duet([steady(users=10, seconds=6)]).phases
    assert len(phase.segments) == BLOCK * FEWEST_BLOCKS
    assert phase.duration_s == pytest.approx(6)


def test_a_ramp_rises_through_its_turns() -> None:
    (phase, _) = duet([ramp(users=20, seconds=4), steady(users=20, seconds=4)]).phases
    levels = [segment.start for segment in phase.segments] + [phase.segments[-1].end]
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (0, 20)


def test_several_starts_of_each_build_take_blocks_in_turn() -> None:
    plan = duet([steady(users=10, seconds=24)], starts=3)
    assert [target.name for target in plan.targets] == ["a", "b"] * 3
    assert plan.workers == 6
    assert Counter(plan.phases[0].turns) == dict.fromkeys(range(6), 8)


def test_side_by_side_every_turn_of_the_open_model_is_both_builds() -> None:
    plan = duet([steady(users=10, seconds=8, name="closed"), steady(rate=10, seconds=8)], side_by_side=True)
    assert [EVERY in phase.turns for phase in plan.phases] == [False, True]
    assert set(plan.phases[1].turns) == {EVERY}
    assert len(plan.phases[1].segments) == BLOCK * FEWEST_BLOCKS


@pytest.mark.parametrize(
    ("phase", "more", "code"),
    [
        (steady(users=1, seconds=8), {"side_by_side": True}, "duet-side-by-side-closed"),
        (steady(rate=1, seconds=8), {"side_by_side": True, "starts": 2}, "duet-side-by-side-with-starts"),
        (steady(users=1, seconds=8), {"stop_early": True, "starts": 2}, "duet-starts-with-stop-early"),
    ],
)
def test_what_cannot_be_combined_is_a_problem(phase: Phase, more: dict[str, Any], code: str) -> None:
    with pytest.raises(HarnessError) as raised:
        duet([phase], **more)
    assert [problem.code for problem in problems_of(raised.value)] == [code]


def test_the_same_seed_gives_the_same_turns() -> None:
    phases = [steady(users=10, seconds=40)]
    assert duet(phases) == duet(phases)


def test_phases_that_search_for_a_limit_are_left_out_with_their_gates() -> None:
    plan = duet([steady(users=10, seconds=8), stress((10, 20), every=3)], ["p95 < 1s"])
    assert [phase.name for phase in plan.phases] == ["steady"]


def test_build_b_must_keep_to_build_a_unless_gates_say_so() -> None:
    phases = [steady(users=10, seconds=8)]
    expected = ["p95 < 1s", *MARGIN, MARGIN_OF_KNOWN]
    assert [gate.comparison.source for gate in duet(phases, ["p95 < 1s"]).gates] == expected
    own = ["p99 <= baseline + 3%"]
    assert [gate.comparison.source for gate in duet(phases, own).gates] == own


@pytest.mark.parametrize(("pids", "known"), [((1, 2), True), ((1, None), False)])
def test_the_default_margin_of_cpu_needs_the_processes_of_both_builds(
    pids: tuple[int | None, int | None], known: bool
) -> None:
    plans = []
    for pid in pids:
        target = Variant(target=AttachedTarget(url="http://127.0.0.1:8000", pid=pid))
        plans.append(make_plan([steady(users=10, seconds=8)], []).model_copy(update={"targets": (target,)}))
    assert (MARGIN_OF_KNOWN in [gate.comparison.source for gate in duet_plan(*plans).gates]) is known


@pytest.mark.parametrize(
    ("phases", "starts", "code"),
    [
        ([stress((10, 20), every=3)], 1, "duet-without-phases"),
        ([steady(users=1, seconds=3)], 1, "duet-phase-too-short"),
        ([steady(users=1, seconds=8)], 0, "duet-starts-out-of-range"),
        ([steady(users=1, seconds=8)], 9, "duet-starts-out-of-range"),
        ([Phase(name="shape", kind="shape", model="closed", description="")], 1, "duet-with-shape"),
    ],
)
def test_what_cannot_be_a_duet_is_a_problem(phases: list[Phase], starts: int, code: str) -> None:
    with pytest.raises(HarnessError) as raised:
        duet(phases, starts=starts)
    assert [problem.code for problem in problems_of(raised.value)] == [code]
