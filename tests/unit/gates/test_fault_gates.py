"""Gates on faults, and those that name none: each judges its own seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.gates.live import LiveGates
from harness.gates.live_faults import LiveFaults
from harness.gates.run_totals import RunTotals
from harness.messages import message
from harness.plan.model.phase import Phase
from harness.plan.model.run import Gate, RunPlan
from harness.record.gate_result import GateResult
from harness.record.journal import read_journal
from harness.record.run_folder import RunFolder, read_json
from harness.record.summary import Summary
from tests.support.broken_runs import Broken, slow_between, write_faults
from tests.support.judged import judge
from tests.support.plans import gate, steady
from tests.support.recordings import Failing, record_run

SLOW = Broken("db slow", 10.0, 15.0)
LONG = [steady(rate=400, seconds=40)]
FAILS_UNDER = [Failing(0.5, from_s=10, to_s=15)]
TAKEN = {
    "target": {"cpu_percent": 20.0, "waiting_percent": 80.0},
    "machine": {"others_percent": 180.0, "cores": 2.0},
}
"""Others have the cores for four fifths of the time."""


def recorded(
    folder: Path,
    *gates: Gate | str,
    fault: Broken | None = SLOW,
    until_s: float = 15.0,
    phases: list[Phase] = LONG,
    failures: list[Failing] = FAILS_UNDER,
    **more: object,
) -> RunFolder:
    """A run whose requests are slow from second 10 to ``until_s``, and half of them fail from 10 to 15."""
    found = record_run(
        folder,
        phases=phases,
        gates=gates,
        lead_in_s=0.0,
        latency=slow_between((10, until_s)),
        failures=failures,
        **more,  # type: ignore[arg-type]
    )
    return found if fault is None else write_faults(found, fault)


def judged(folder: Path, text: str, **more: object) -> GateResult:
    (result,) = judge(recorded(folder, gate(text, "steady"), **more)).gates  # type: ignore[arg-type]
    return result


@pytest.mark.slow
def test_a_gate_that_names_no_fault_leaves_its_seconds_out(tmp_path: Path) -> None:
    gates = ["p95 < 100ms", "error_rate < 1%", "max < 100ms"]
    kept = judge(recorded(tmp_path / "fault", *gates))
    assert [result.status for result in kept.gates] == ["pass"] * 3
    told = judge(recorded(tmp_path / "none", *gates, fault=None))
    assert "pass" not in [result.status for result in told.gates]
    (phase,) = kept.phases
    assert phase.faulted is not None
    assert phase.faulted.seconds == [*range(10, 17)]
    assert phase.faulted.leaves_enough
    assert phase.intervals["p95"].value > 700
    assert phase.faulted.calm["p95"].value < 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("error_rate < 5% during 'db slow'", "fail"),
        ("error_rate < 80% during 'db slow'", "pass"),
        ("p95 < 2s during 'db slow'", "pass"),
        ("p95 < 500ms during 'db slow'", "fail"),
    ],
)
def test_a_gate_on_a_fault_judges_the_seconds_under_it(tmp_path: Path, text: str, status: str) -> None:
    result = judged(tmp_path, text)
    assert (result.status, result.fault, result.phase) == (status, "db slow", "steady")


@pytest.mark.parametrize(
    ("text", "until_s", "status", "code"),
    [
        ("recovery_time < 10s after 'db slow'", 20.0, "pass", "gate-recovered"),
        ("recovery_time < 3s after 'db slow'", 20.0, "fail", "gate-recovered-late"),
        ("recovery_time < 10s after 'db slow'", 40.0, "fail", "gate-not-recovered"),
        ("recovery_time < 30s after 'db slow'", 40.0, "inconclusive", "gate-recovery-not-seen"),
        ("recovery_time(p95 < 1s) < 3s after 'db slow'", 20.0, "pass", "gate-recovered"),
        ("recovery_time(p95 < 100ms) < 3s after 'db slow'", 20.0, "fail", "gate-recovered-late"),
    ],
)
def test_a_gate_on_the_recovery_waits_for_its_condition(
    tmp_path: Path, text: str, until_s: float, status: str, code: str
) -> None:
    result = judged(tmp_path, text, until_s=until_s)
    assert (result.status, result.code, result.unit) == (status, code, "s")
    if until_s == 20.0 and "1s" not in text:
        assert result.observed == pytest.approx(6)


@pytest.mark.parametrize(
    ("cpu_percent", "until_s", "expected"),
    [
        (20.0, 20.0, ("inconclusive", "gate-recovery-contaminated")),
        (20.0, 40.0, ("fail", "gate-not-recovered")),  # a fifth of 25 s is more than the limit
        (85.0, 20.0, ("fail", "gate-recovered-late")),
    ],
)
def test_a_recovery_does_not_fail_for_time_that_others_took(
    tmp_path: Path, cpu_percent: float, until_s: float, expected: tuple[str, str]
) -> None:
    taken = TAKEN | {"target": {"cpu_percent": cpu_percent, "waiting_percent": 100.0 - cpu_percent}}
    result = judged(tmp_path, "recovery_time < 3s after 'db slow'", until_s=until_s, sampled=lambda _: taken)
    assert (result.status, result.code) == expected
    assert result.observed is not None
    assert result.observed > 5


def test_a_recovery_that_another_fault_cuts_off_names_that(tmp_path: Path) -> None:
    run = recorded(tmp_path, gate("recovery_time < 9s after 'db slow'", "steady"), until_s=40.0, fault=None)
    (result,) = judge(write_faults(run, SLOW, Broken("cache empty", 18.0, 20.0))).gates
    assert (result.status, result.code) == ("inconclusive", "gate-recovery-cut-off")
    assert result.params["other"] == "cache empty"
    assert result.settle is None  # a longer phase would not settle it


def test_what_would_settle_a_gate_under_a_fault_is_a_longer_fault(tmp_path: Path) -> None:
    result = judged(tmp_path, "error_rate < 49.5% during 'db slow'")
    assert (result.status, result.code) == ("inconclusive", "gate-too-close")
    assert result.settle is not None
    assert result.settle.seconds is None
    assert result.settle.fault_seconds is not None
    assert result.settle.fault_seconds >= 10
    assert 5 <= result.params["settle"]["params"]["seconds"] < 10  # not the 40 of the phase


def test_what_would_settle_a_recovery_is_more_time(tmp_path: Path) -> None:
    result = judged(tmp_path, "recovery_time < 30s after 'db slow'", until_s=40.0)
    assert result.settle is not None
    assert result.settle.seconds is not None
    assert 40 < result.settle.seconds <= 55


@pytest.mark.parametrize("text", ["error_rate < 90% during 'db slow'", "recovery_time < 30s after 'db slow'"])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Broken("other", 10.0, 15.0), "gate-fault-not-begun"),
        (Broken("db slow", 10.0, 15.0, error=message("note", text="no such proxy")), "gate-fault-failed"),
    ],
)
def test_a_fault_that_was_not_active_proves_nothing(tmp_path: Path, text: str, fault: Broken, code: str) -> None:
    result = judged(tmp_path, text, fault=fault)
    assert (result.status, result.code) == ("inconclusive", code)


def test_a_fault_that_was_not_undone_is_not_recovered_from(tmp_path: Path) -> None:
    fault = Broken("db slow", 10.0, None)
    summary = judge(recorded(tmp_path, gate("recovery_time < 30s after 'db slow'", "steady"), fault=fault))
    assert summary.gates[0].code == "gate-fault-not-undone"


def test_a_phase_under_faults_is_inconclusive_and_not_slow(tmp_path: Path) -> None:
    summary = judge(recorded(tmp_path, "p95 < 100ms", fault=Broken("db slow", 2.0, 38.0)))
    assert (summary.gates[0].status, summary.gates[0].code) == ("inconclusive", "gate-under-faults")
    assert "phase-under-faults" in codes(summary)


def test_a_target_that_does_not_recover_fails_its_other_gates(tmp_path: Path) -> None:
    """Ten seconds are excused; those from 25 to 40 are not."""
    summary = judge(recorded(tmp_path, "max < 100ms", until_s=40.0))
    assert summary.gates[0].status == "fail"
    assert "fault-not-recovered" in codes(summary)
    (explanation,) = summary.explanations
    assert explanation.causes[0].what.code == "cause-fault-lasts"


def test_a_target_that_recovers_late_fails_its_other_gates(tmp_path: Path) -> None:
    summary = judge(recorded(tmp_path, "max < 100ms", until_s=30.0))
    assert summary.gates[0].status == "fail"
    assert "fault-recovered-late" in codes(summary)
    (explanation,) = summary.explanations
    assert explanation.causes[0].what.code == "cause-fault-lasted"


@pytest.mark.parametrize(("until_s", "status"), [(30.0, "pass"), (40.0, "fail")])
def test_failures_of_a_recovery_that_others_slowed_do_not_count(tmp_path: Path, until_s: float, status: str) -> None:
    """It may take 18 s instead of 10, because others had the cores for 8 s of those."""
    failures = [Failing(0.5, from_s=10, to_s=until_s)]
    run = recorded(tmp_path, "error_rate < 1%", until_s=until_s, failures=failures, sampled=lambda _: TAKEN)
    assert judge(run).gates[0].status == status


def test_a_fault_whose_seconds_are_all_left_out_is_not_a_cause(tmp_path: Path) -> None:
    gates = [gate("recovery_time < 30s after 'db slow'", "steady"), gate("p95 < 1ms", "steady")]
    summary = judge(recorded(tmp_path, *gates, until_s=40.0))
    (explanation,) = [each for each in summary.explanations if each.metric == "p95"]
    assert "fault" not in [cause.kind for cause in explanation.causes]


def test_the_fault_is_the_cause_of_what_fails_under_it(tmp_path: Path) -> None:
    gates = [gate("error_rate < 5% during 'db slow'", "steady"), gate("p95 < 1ms", "steady")]
    summary = judge(recorded(tmp_path, *gates))
    under, other = summary.explanations
    assert [cause.kind for cause in under.causes] == ["fault", "failures"]
    assert under.causes[0].what.params["fault"] == "db slow"
    assert "fault" not in [cause.kind for cause in other.causes]


def test_faults_are_listed_in_the_summary(tmp_path: Path) -> None:
    (fault,) = judge(recorded(tmp_path)).faults
    assert (fault.name, fault.kind, fault.phase, fault.recovered) == ("db slow", "network", "steady", True)
    assert fault.error_rate == pytest.approx(0.4, abs=0.1)


def codes(summary: Summary) -> list[str]:
    return [notice.code for notice in summary.notices]


def live(folder: RunFolder) -> LiveGates:
    plan = RunPlan.model_validate(read_json(folder.plan))
    totals = RunTotals(plan, LiveFaults(plan, folder))
    totals.update(read_journal(folder.journal))
    return LiveGates(totals)


def test_a_live_gate_leaves_out_what_the_judgement_does(tmp_path: Path) -> None:
    gates = [gate("p95 < 100ms", "steady"), gate("error_rate < 1%", "steady")]
    gates += [gate("error_rate < 5% during 'db slow'", "steady"), gate("recovery_time < 9s after 'db slow'", "steady")]
    standing = live(recorded(tmp_path, *gates)).standing()
    assert [each.holds for each in standing] == [True, True, False, None]
    assert standing[2].observed == pytest.approx(40, abs=10)


def test_no_run_is_stopped_for_seconds_under_a_fault(tmp_path: Path) -> None:
    gates = [gate("error_rate < 1%", "steady"), gate("max < 100ms", "steady"), gate("p99 < 100ms", "steady")]
    assert live(recorded(tmp_path / "told", *gates, fault=None)).lost() is not None
    assert live(recorded(tmp_path / "kept", *gates)).lost() is None
    late = [*FAILS_UNDER, Failing(1.0, from_s=30, to_s=40)]
    assert live(recorded(tmp_path / "later", *gates, failures=late)).lost() is not None
