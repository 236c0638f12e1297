"""Night after night under a gate on steps: it needs runs, names where a step lies, and lasts until that is accepted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.control.finalize import conclude, judge_again
from harness.plan.expression import parse_requirement
from harness.plan.model.run import Gate, RunPlan
from harness.record.gate_result import GateResult
from harness.record.resources import REFERENCE_WORK
from harness.record.run_folder import RunFolder, read_model
from harness.record.spans import Received, SpanWriter
from harness.record.summary import Summary
from harness.store import RunEntry, open_store
from tests.support.latencies import lognormal
from tests.support.plans import steady
from tests.support.recordings import make_environment, record_run

GATES = ("p95 no step up", "throughput no step down")


def run_id(number: int) -> str:
    return f"202602{number:02}T020000Z-shop-nightly-0001"


def night(
    reports: Path,
    number: int,
    *,
    slower: float = 1.0,
    gates: tuple[str, ...] = GATES,
    sampled: Callable[[float], dict[str, dict[str, float]]] | None = None,
    traced: bool = False,
) -> Summary:
    """What the ``number``th night concludes."""
    environment = make_environment().model_copy(update={"target_commit": f"c{number}"})
    folder = record_run(
        reports,
        run_id=run_id(number),
        scenario="shop",
        profile="nightly",
        phases=[steady(50, 20)],
        endpoints={"GET /products": 1.0},
        gates=gates,
        latency=lognormal(20 * slower, 0.2),
        seed=number,
        environment=environment,
        sampled=sampled,
        epoch_s=datetime(2026, 2, number, 2, tzinfo=UTC).timestamp(),
    )
    if traced:
        SpanWriter(folder.spans).close(Received())
    with open_store(None, reports) as store:
        return conclude(folder, read_model(folder.plan, RunPlan), environment, store)


def p95(summary: Summary) -> GateResult:
    return next(gate for gate in summary.gates if gate.require == GATES[0])


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    return tmp_path / "reports"


@pytest.mark.slow
def test_a_step_up_fails_with_its_third_run_until_somebody_accepts_it(reports: Path) -> None:
    for number in range(1, 6):
        gate = p95(night(reports, number))
        assert (gate.status, gate.code) == ("inconclusive", "gate-history-too-short")
        assert [gate.params[name] for name in ("runs", "all", "needed")] == [number, number, 6]
    assert night(reports, 6).verdict == "pass"
    assert [night(reports, number, slower=1.3).verdict for number in (7, 8)] == ["pass", "pass"]
    failed = night(reports, 9, slower=1.3)
    gate = p95(failed)
    assert [other.status for other in failed.gates] == ["fail", "pass"]
    assert (gate.code, gate.params["runs"], gate.params["commits"]) == (
        "gate-step", [run_id(6), run_id(7)], ["c6", "c7"],
    )  # fmt: skip
    assert gate.params["out"] == f" --out {reports}"
    assert gate.limit is not None
    assert gate.observed == pytest.approx(1.3 * gate.limit, rel=0.1)
    assert p95(night(reports, 10, slower=1.3)).code == "gate-step"
    with open_store(None, reports) as store:
        accepted = RunEntry(failed, make_environment().fingerprint, reports / failed.run_id)
        store.accept(accepted, "a second look at the stock", most=10)
    assert night(reports, 11, slower=1.3).verdict == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("taken_s", [8, 20])
def test_cpu_time_at_equal_speed_counts_in_all_seconds(reports: Path, taken_s: int) -> None:
    def sampled(at_s: float) -> dict[str, dict[str, float]]:
        taken = at_s < taken_s
        return {
            "target": {"cpu_percent": 60.0 if taken else 50.0, "waiting_percent": 60.0 if taken else 0.0},
            "machine": {"others_percent": 180.0 if taken else 0.0, "cores": 2.0},
            REFERENCE_WORK: {"one_us": 100.0},
        }

    gates = ("cpu_per_request no step up",)
    for number in range(1, 7):
        last = night(reports, number, gates=gates, sampled=sampled)
    (gate,), (phase,) = last.gates, last.phases
    assert phase.contamination is not None
    assert (gate.status, gate.code, gate.seconds_left_out) == ("pass", "gate-no-step", 0)
    assert gate.observed == pytest.approx(phase.intervals["cpu_per_request"].value)


@pytest.mark.slow
def test_runs_that_were_traced_are_no_step_of_those_that_were_not(reports: Path) -> None:
    for number in range(1, 10):
        last = night(reports, number, slower=1.3 if number > 6 else 1.0, traced=number > 6)
    gate = p95(last)
    assert (gate.status, gate.code, gate.params["runs"]) == ("inconclusive", "gate-history-too-short", 3)


@pytest.mark.slow
def test_accepting_a_run_that_does_not_count_accepts_the_level_it_is_at(reports: Path) -> None:
    for number in range(1, 10):
        last = night(reports, number, slower=1.3 if number > 6 else 1.0)
    assert last.verdict == "fail"
    traced = night(reports, 10, slower=1.3, traced=True)
    with open_store(None, reports) as store:
        store.accept(RunEntry(traced, make_environment().fingerprint, reports / traced.run_id), "checks", most=10)
    assert p95(night(reports, 11, slower=1.3)).status == "pass"


@pytest.mark.slow
def test_a_step_that_is_undone_no_longer_fails(reports: Path) -> None:
    for number in range(1, 10):
        last = night(reports, number, slower=1.3 if number > 6 else 1.0)
    assert last.verdict == "fail"
    after = [night(reports, number).verdict for number in range(10, 13)]
    assert after[-1] == "pass"


@pytest.mark.slow
def test_a_run_is_judged_by_steps_afterwards_from_the_runs_before_it(reports: Path) -> None:
    for number in range(1, 11):
        night(reports, number, slower=1.3 if number > 6 else 1.0, gates=())
    gate = Gate(comparison=parse_requirement(GATES[0]))
    judged = {number: p95(judge_again(RunFolder.open(reports / run_id(number)), [gate])) for number in (5, 8, 10)}
    assert {number: found.code for number, found in judged.items()} == {
        5: "gate-history-too-short",
        8: "gate-no-step",
        10: "gate-step",
    }
    (reports / "store.sqlite").unlink()  # what a run was judged by is in its folder
    again = judge_again(RunFolder.open(reports / run_id(10)), [gate])
    assert p95(again).params == judged[10].params
    fresh = judge_again(RunFolder.open(reports / run_id(9)), [gate])
    assert (p95(fresh).status, p95(fresh).code) == ("inconclusive", "gate-no-history")
