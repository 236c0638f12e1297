"""Gates on the checks of a scenario, and on what its ``verify`` found."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.checks import check_samples
from harness.errors import HarnessError
from harness.gates.judge import judge as judge_recording
from harness.gates.live import LiveGates
from harness.gates.run_totals import RunTotals
from harness.record.frames import FrameReader, FrameWriter
from harness.record.gate_result import GateResult
from harness.record.journal import read_journal
from harness.record.run_folder import RunFolder
from harness.record.summary import Summary
from harness.recording.run import RunRecording, read_run
from tests.support.judged import judge
from tests.support.plans import gate, ramp, steady
from tests.support.recordings import record_run

PHASES = [ramp(10, 2), steady(20, 20)]
STEADY = 1


def record(parent: Path, gates: list[str], checks: dict[str, tuple[int, int]], variant: str = "") -> RunFolder:
    """A run in whose every second of the steady phase each check passed and failed so often."""
    folder = record_run(parent, phases=PHASES, gates=[gate(text, "steady") for text in gates])
    frames = list(FrameReader(folder.journal).new_frames())
    folder.journal.unlink()
    counts = [[name, STEADY, passed, failed, variant] for name, (passed, failed) in checks.items()]
    with FrameWriter(folder.journal) as writer:
        for frame in frames:
            during = frame["kind"] == "second" and 3 <= frame["second"] < 22
            writer.write(frame | ({"checks": counts} if during else {}))
        writer.write({"kind": "check_sample", "name": "total is right", "at_s": 4.0, "text": "5 is not 6"})
    return folder


def only(summary: Summary) -> GateResult:
    (result,) = summary.gates
    return result


def test_a_failed_check_is_explained_by_what_it_observed(tmp_path: Path) -> None:
    checks = {"total is right": (990, 40), "stock is left": (990, 40)}
    gates = ['check("stock is left") >= 99.9%', 'check("total is right") >= 99.9%']
    (found,) = judge(record(tmp_path, gates, checks)).explanations
    assert [(cause.kind, cause.what.code) for cause in found.causes] == [("check", "cause-check")]
    params = found.causes[0].what.params
    assert (params["check"], params["failed"], params["made"]) == ("total is right", 40 * 19, 1030 * 19)
    assert params["reasons"] == "5 is not 6"


@pytest.mark.parametrize(
    ("require", "counts", "status", "code"),
    [
        ('check("total is right") >= 99.9%', (1000, 0), "pass", "gate-reached-limit"),
        ('check("total is right") >= 99.9%', (990, 10), "fail", "gate-under-limit"),
        ('check("total is right") >= 99.9%', (10, 0), "inconclusive", "gate-too-few-checks"),
        ('check("total is right") >= 99%', (990, 10), "inconclusive", "gate-too-close"),
        ('check("total is right") >= 100%', (10, 0), "pass", "gate-reached-limit"),
        ('check("total is right") >= 100%', (10_000, 1), "fail", "gate-under-limit"),
        ("CHECK ( 'total is right' ) >= 50%", (900, 100), "pass", "gate-reached-limit"),
        ('check("total was right") >= 99%', (10, 0), "inconclusive", "gate-check-not-made"),
    ],
)
def test_a_check_is_a_gate_with_an_interval(
    tmp_path: Path, require: str, counts: tuple[int, int], status: str, code: str
) -> None:
    found = only(judge(record(tmp_path, [require], {"total is right": counts})))
    assert (found.status, found.code, found.phase) == (status, code, "steady"), found.reason
    if code != "gate-check-not-made":
        passed, failed = counts
        assert found.observed == pytest.approx(100 * passed / (passed + failed))
        low, high = found.interval or (0.0, None)
        assert low <= (found.observed or 0.0) <= (high or 0.0)


def test_checks_are_listed_by_phase(tmp_path: Path) -> None:
    summary = judge(record(tmp_path, [], {"total is right": (99, 1), "fast": (50, 0)}))
    found = [(check.name, check.phase, check.passed, check.failed, check.samples) for check in summary.checks]
    assert found == [("fast", "steady", 950, 0, []), ("total is right", "steady", 1881, 19, ["5 is not 6"])]
    assert summary.checks[1].interval[0] < summary.checks[1].share == 0.99 < summary.checks[1].interval[1]


def recording(folder: RunFolder) -> RunRecording:
    return read_run(folder)


def test_seconds_may_be_left_out(tmp_path: Path) -> None:
    run = recording(record(tmp_path, [], {"a": (9, 1)}))
    steady_phase = run.phases[STEADY]
    whole = check_samples(steady_phase, run)["a"]
    part = check_samples(steady_phase, run, left_out=set(range(10)))["a"]
    assert (whole.requests.sum(), part.requests.sum()) == (190, 120)


def test_a_check_of_another_build_does_not_count_for_this_one(tmp_path: Path) -> None:
    run = recording(record(tmp_path, [], {"a": (9, 1)}, variant="b"))
    assert check_samples(run.phases[STEADY], run) == {}


def test_a_baseline_of_a_check_is_compared(tmp_path: Path) -> None:
    summary = judge(record(tmp_path, ['check("a") >= baseline - 1%'], {"a": (9, 1)}))
    assert only(summary).code == "baseline-missing"


VERIFY = [
    {"name": "no oversell", "value": True, "detail": ""},
    {"name": "ledger", "value": False, "detail": "3 missing"},
    {"name": "lost_writes", "value": 3.0, "detail": ""},
]


@pytest.mark.parametrize(
    ("require", "status"),
    [
        ("verify('lost_writes') = 3", "pass"),
        ("verify('lost_writes') == 2", "fail"),
        ("verify('lost_writes') <= 3", "pass"),
        ("verify('lost_writes') < 3", "fail"),
        ("verify('lost_writes') >= 4", "fail"),
        ("verify('lost') = 0", "inconclusive"),
        ("verify('ledger') = 0", "inconclusive"),
    ],
)
def test_a_figure_of_verify_is_a_gate_without_a_phase(tmp_path: Path, require: str, status: str) -> None:
    verify = {"status": "pass", "message": "", "checks": VERIFY[2:]}
    figure, itself = judge(record_run(tmp_path, phases=PHASES, gates=[require], verify=verify)).gates
    assert (figure.require, figure.status, figure.phase) == (require, status, None)
    assert figure.observed == (3.0 if status != "inconclusive" else None)
    assert (itself.require, itself.status) == ("verify", "pass")


def test_named_checks_of_verify_stand_for_it(tmp_path: Path) -> None:
    verify = {"status": "pass", "message": "", "checks": VERIFY}
    summary = judge(record_run(tmp_path, phases=PHASES, verify=verify))
    found = [(each.require, each.status, each.code) for each in summary.gates]
    assert found == [
        ('verify("no oversell")', "pass", "invariant-holds"),
        ('verify("ledger")', "fail", "invariant-broken"),
    ]
    assert (summary.exit_code, summary.figures) == (1, {"lost_writes": 3.0})


def test_a_verify_that_raised_keeps_what_it_had_found(tmp_path: Path) -> None:
    verify = {"status": "error", "message": "KeyError: 'left'", "checks": VERIFY[:1]}
    gates = ["verify('lost_writes') = 0"]
    summary = judge(record_run(tmp_path, phases=PHASES, gates=gates, verify=verify))
    found = [(each.status, each.code) for each in summary.gates]
    assert found == [
        ("inconclusive", "invariant-check-raised"),
        ("pass", "invariant-holds"),
        ("inconclusive", "invariant-check-raised"),
    ]


@pytest.mark.parametrize("checks", [5, [{}], [{"name": "a", "value": "x"}], [{"name": 3, "value": True}]])
def test_damaged_checks_of_verify_are_named(tmp_path: Path, checks: object) -> None:
    folder = record_run(tmp_path, phases=PHASES, verify={"status": "pass", "checks": checks})
    with pytest.raises(HarnessError) as raised:
        judge_recording(read_run(folder))
    assert (raised.value.code, raised.value.where) == ("file-damaged", str(folder.verification))


def test_a_gate_on_a_check_is_shown_during_the_run(tmp_path: Path) -> None:
    folder = record(tmp_path, ['check("a") >= 99%', 'check("b") >= 99%'], {"a": (199, 1)})
    totals = RunTotals(read_run(folder).plan)
    totals.update(read_journal(folder.journal))
    first, second = LiveGates(totals).standing()
    assert (first.observed, first.holds, first.limit) == (99.5, True, 99)
    assert (second.observed, second.holds) == (None, None)
