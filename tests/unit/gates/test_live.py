"""Gates during the run: they reflect the requests so far, and are lost only if they can no longer hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.gates.live import LiveGate, LiveGates, failed_beyond_recovery
from harness.gates.run_totals import RunTotals
from harness.messages import Message
from harness.plan.model.phase import Phase
from harness.plan.model.run import Gate, RunPlan
from harness.plan.model.target import CommandTarget
from harness.record.journal import Journal, JournalFollower, read_journal
from harness.record.run_folder import RunFolder, read_json
from tests.support.judged import judge
from tests.support.latencies import Floats, Latency, lognormal
from tests.support.plans import gate, ramp, steady, stress
from tests.support.recordings import Failing, record_run


def plan_of(folder: RunFolder) -> RunPlan:
    return RunPlan.model_validate(read_json(folder.plan))


def standing(plan: RunPlan, journal: Journal) -> list[LiveGate]:
    """How the gates stand, all at once."""
    totals = RunTotals(plan)
    totals.update(journal)
    return LiveGates(totals).standing()


def test_gates_stand_as_the_summary_will_say(tmp_path: Path) -> None:
    texts = ["p95 < 500ms", "p99.9 < 1ms", "mean < 500ms", "max < 1ms", "error_rate < 50%", "throughput > 9/s"]
    folder = record_run(tmp_path, phases=[ramp(), steady()], gates=texts, failures=[Failing(0.1)])
    stand = standing(plan_of(folder), read_journal(folder.journal))
    results = judge(folder).gates
    assert [(live.phase, live.limit, live.unit) for live in stand] == [
        (result.phase, result.limit, result.unit) for result in results
    ]
    for live, result in zip(stand, results, strict=True):
        assert live.observed == pytest.approx(result.observed)
        assert live.holds == (result.status == "pass")


def test_gates_that_follow_a_run_stand_as_if_read_at_once(tmp_path: Path) -> None:
    folder = record_run(tmp_path / "run", phases=[ramp(), steady()], gates=["p95 < 30ms", "throughput > 90/s"])
    plan, whole = plan_of(folder), folder.journal.read_bytes()
    growing = tmp_path / "growing"
    follower, totals = JournalFollower(growing), RunTotals(plan)
    gates = LiveGates(totals)
    for length in range(0, len(whole) + 5000, 5000):
        growing.write_bytes(whole[:length])
        follower.poll()
        totals.update(follower.journal)
        assert gates.standing() == standing(plan, follower.journal)


def test_before_a_phase_no_gate_holds_or_fails(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[ramp(), steady()], gates=["p95 < 30ms"], stop_at_s=3)
    _, waiting = standing(plan_of(folder), read_journal(folder.journal))
    assert (waiting.observed, waiting.holds) == (None, None)


def test_a_limit_against_the_baseline_is_left_to_the_judge(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady()], gates=["p95 <= baseline + 10%"])
    journal, plan = read_journal(folder.journal), plan_of(folder)
    (stands,) = standing(plan, journal)
    assert stands.observed is not None
    assert (stands.limit, stands.holds) == (None, None)
    assert failed_beyond_recovery(plan, journal, plan.gates[0]) is None


def lost(
    tmp_path: Path, asked: str, *, latency: Latency | None = None, phase: Phase | None = None, **more: object
) -> Message | None:
    """Why a gate is given up 10 s into a phase of 20 s."""
    wanted: Gate = gate(asked)
    folder = record_run(
        tmp_path,
        phases=[phase or steady(seconds=20)],
        gates=[wanted],
        latency=latency or lognormal(20),
        stop_at_s=10,
        **more,  # type: ignore[arg-type]  # passed through by name
    )
    return failed_beyond_recovery(plan_of(folder), read_journal(folder.journal), wanted)


@pytest.mark.parametrize(
    ("asked", "median_ms", "code"),
    [
        ("p95 < 500ms", 1000, "gate-lost-percentile"),
        ("p50 <= 500ms", 1000, None),  # half of what is to come could still make it good
        ("p95 < 500ms", 20, None),
        ("mean < 100ms", 1000, "gate-lost-mean"),
        ("mean < 100ms", 120, None),
        ("max < 100ms", 120, "gate-lost-maximum"),
        ("max < 10000ms", 120, None),
        ("throughput > 1000/s", 20, "gate-lost-rate"),
        ("throughput > 210/s", 20, None),
        ("throughput < 1/s", 20, None),
        ("p95 > 1000ms", 20, None),
    ],
)
def test_a_gate_is_given_up_only_when_the_rest_cannot_help(
    tmp_path: Path, asked: str, median_ms: float, code: str | None
) -> None:
    found = lost(tmp_path, asked, latency=lognormal(median_ms))
    assert (found and found.code) == code


@pytest.mark.parametrize(("asked", "share", "given_up"), [
    ("error_rate < 1%", 0.2, True), ("error_rate < 1%", 0.015, False), ("error_rate <= 0%", 0.01, True),
    ("error_rate < 1%", 0.0, False),
])  # fmt: skip
def test_a_gate_is_given_up_when_too_many_requests_have_failed(
    tmp_path: Path, asked: str, share: float, given_up: bool
) -> None:
    assert (lost(tmp_path, asked, failures=[Failing(share)]) is not None) == given_up


def test_the_load_that_is_still_to_come_counts(tmp_path: Path) -> None:
    assert lost(tmp_path / "a", "throughput > 300/s", phase=ramp(users=200, seconds=20)) is None
    assert lost(tmp_path / "b", "throughput > 300/s", phase=stress(levels=(20, 40, 400, 400), every=5)) is None
    assert lost(tmp_path / "c", "throughput > 300/s", phase=stress(levels=(20, 20, 20, 20), every=5)) is not None


def test_seconds_after_a_start_nothing_is_given_up(tmp_path: Path) -> None:
    asked = gate("max < 1ms")
    folder = record_run(tmp_path, phases=[steady()], gates=[asked], stop_at_s=1.5)
    assert failed_beyond_recovery(plan_of(folder), read_journal(folder.journal), asked) is None


def test_a_gate_on_an_unknown_phase_is_left_to_the_judge(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady()], gates=[gate("max < 1ms", "stedy")])
    plan, journal = plan_of(folder), read_journal(folder.journal)
    assert standing(plan, journal) == []
    assert LiveGates(RunTotals(plan)).beyond_recovery(plan.gates[0], "stedy") is None


def test_a_phase_that_has_ended_brings_no_more_requests(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(), steady(name="after")], gates=[gate("p50 < 1ms", "steady")])
    plan = plan_of(folder)
    found = failed_beyond_recovery(plan, read_journal(folder.journal), plan.gates[0])
    assert found is not None
    assert found.params["limit"] == 1


def test_a_stopped_run_is_judged_by_what_stopped_it(tmp_path: Path) -> None:
    """Too few seconds for an interval to be sure, but enough to know that the gate was lost."""

    def rising(_: np.random.Generator, at_s: Floats, __: str) -> Floats:
        return np.where(at_s > 12, 900.0, 20.0)

    phases = [steady(seconds=20)]
    running = record_run(
        tmp_path, run_id="a", phases=phases, latency=rising, gates=["p95 < 500ms"], stop_at_s=14, stop_early=True,
        end_reason="gate failed",
    )  # fmt: skip
    done = record_run(
        tmp_path,
        run_id="b",
        phases=phases,
        latency=rising,
        gates=["p95 < 500ms"],
        stop_at_s=14,
        end_reason="interrupted",
    )
    assert judge(done).gates[0].status == "inconclusive"
    assert judge(running).gates[0].status == "fail"
    assert judge(running).exit_code == 1


def test_the_gates_of_a_duet_show_build_b_beside_build_a(tmp_path: Path) -> None:
    def latency(_: np.random.Generator, at_s: Floats, endpoint: str) -> Floats:
        return 0 * at_s + (90.0 if endpoint.startswith("B ") else 30.0)

    folder = record_run(
        tmp_path,
        phases=[steady(seconds=20)],
        gates=["mean <= baseline + 5%", "throughput > 1/s"],
        latency=latency,
        target=CommandTarget(command="old"),
        build_b=CommandTarget(command="new"),
    )
    mean, throughput = standing(plan_of(folder), read_journal(folder.journal))
    assert mean.observed == pytest.approx(90)
    assert mean.build_a == pytest.approx(30)
    assert mean.holds is None
    (_, build_b) = judge(folder).phases
    assert throughput.observed == pytest.approx(build_b.throughput_rps, rel=0.05)
    assert (throughput.build_a, throughput.holds) == (None, True)
