"""What a run says of its faults: those that failed, what is left to undo, and what died on purpose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.fault_warnings import fault_warnings
from harness.analysis.killed_on_purpose import fault_that_ended_target
from harness.analysis.process_ends import ends_of
from harness.gates.judge import judge
from harness.messages import message
from harness.plan.model.fault import PlannedFault
from harness.record.fault_events import FAULT_EVENTS, FaultEvent
from harness.record.process_events import PROCESS_EVENTS, ProcessEvent
from harness.recording.run import RunRecording, read_run
from tests.support.plans import steady
from tests.support.recordings import EPOCH_S, record_run

ROOT = 10


def fault(name: str = "crash", kind: str = "process", **settings: Any) -> PlannedFault:
    return PlannedFault(name=name, kind=kind, phase="steady", settings=settings or {"action": "kill"})


def recorded(
    tmp_path: Path,
    *events: tuple[float, Any, str],
    planned: PlannedFault | None = None,
    root_ended_s: float | None = None,
    lost: bool = False,
) -> RunRecording:
    """A run with one fault, its events (when, which, the code of its error), and the end of its target's process."""
    planned = planned or fault()
    how: dict[str, Any] = {"stop_at_s": 20, "end_reason": "target lost"} if lost else {}
    run = read_run(record_run(tmp_path, phases=[steady(seconds=30)], **how))
    run = replace(run, plan=run.plan.model_copy(update={"faults": (planned,)}))
    log = FAULT_EVENTS.writer(run.folder.faults)
    for at_s, event, code in events:
        remedy = message("fault-undo-restart", of="target")
        error = message(code, name=planned.name, why="no", remedy=remedy).to_data() if code else None
        log.write(FaultEvent(EPOCH_S + at_s, event, planned.name, planned.kind, "steady", error))
    log.close()
    if root_ended_s is not None:
        processes = PROCESS_EVENTS.writer(run.folder.processes)
        processes.write(ProcessEvent(EPOCH_S, "started", ROOT, 1, "python", True))
        processes.write(ProcessEvent(EPOCH_S + root_ended_s, "ended", ROOT, root=True, status=-9))
        processes.close()
    return run


def codes(run: RunRecording) -> list[str]:
    assert all(map(str, fault_warnings(run)))
    return [warning.code for warning in fault_warnings(run)]


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([(5, "began", ""), (9, "ended", "")], []),
        ([], ["fault-never-began"]),
        ([(5, "began", "")], ["fault-left-open"]),
        ([(5, "began", ""), (9, "failed", "fault-not-undone")], ["fault-not-undone"]),
        ([(5, "began", ""), (9, "failed", "fault-not-undone"), (11, "ended", "")], ["fault-undone-late"]),
        ([(5, "began", ""), (5, "failed", "fault-not-begun"), (5, "ended", "")], ["fault-not-begun"]),
    ],
)
def test_what_went_wrong_with_a_fault_is_a_warning(
    events: list[tuple[float, Any, str]], wanted: list[str], tmp_path: Path
) -> None:
    run = recorded(tmp_path, *events)
    assert codes(run) == wanted
    assert [notice.code for notice in judge(run).notices if notice.code.startswith("fault-")] == wanted


@pytest.mark.parametrize(("ended_s", "wanted"), [(15.0, []), (14.2, []), (8.0, ["fault-cut-short"])])
def test_a_fault_that_ended_before_its_time_is_a_warning(ended_s: float, wanted: list[str], tmp_path: Path) -> None:
    planned = fault().model_copy(update={"for_s": 10.0})
    run = recorded(tmp_path, (5, "began", ""), (ended_s, "ended", ""), planned=planned)
    assert codes(run) == wanted
    if wanted:
        assert fault_warnings(run)[0].params["lasted_s"] == pytest.approx(3)


@pytest.mark.parametrize(
    ("phase", "at_s", "why"),
    [
        ("steady", 40.0, "fault-before-its-time"),
        ("steady", 10.0, "fault-not-carried-out"),
        ("spike", 40.0, "fault-phase-not-begun"),
    ],
)
def test_the_reason_why_a_fault_never_began_is_reported(phase: str, at_s: float, why: str, tmp_path: Path) -> None:
    planned = fault().model_copy(update={"phase": phase, "at_s": at_s})
    (warning,) = fault_warnings(recorded(tmp_path, planned=planned))
    assert (warning.code, getattr(warning.params["why"], "code", None)) == ("fault-never-began", why)


@pytest.mark.parametrize(
    ("planned", "code"),
    [
        (fault(action="pause", of="pid:7"), "fault-undo-process"),
        (fault(kind="command", start="a", stop="b"), "fault-undo-command"),
        (fault(kind="command", start="a", stop_url="http://x"), "fault-undo-request"),
        (fault(kind="of a later version", x=1), "fault-undo-unknown"),
        (fault(action="of a later version"), "fault-undo-unknown"),
    ],
)
def test_what_is_left_to_undo_is_named(planned: PlannedFault, code: str, tmp_path: Path) -> None:
    (warning,) = fault_warnings(recorded(tmp_path, (5, "began", ""), planned=planned))
    assert getattr(warning.params["remedy"], "code", None) == code


def test_a_target_that_a_fault_has_killed_did_not_die(tmp_path: Path) -> None:
    run = recorded(tmp_path, (5, "began", ""), (9, "ended", ""), root_ended_s=5.1)
    assert ends_of(run) == []
    assert judge(run).ends == []


@pytest.mark.parametrize("planned", [fault(), fault(action="pause")])
def test_a_target_that_dies_by_itself_is_found_beside_faults(planned: PlannedFault, tmp_path: Path) -> None:
    at_s = 12.0 if planned.settings["action"] == "kill" else 7.0
    run = recorded(tmp_path, (5, "began", ""), (9, "ended", ""), planned=planned, root_ended_s=at_s)
    assert [end.root for end in ends_of(run)] == [True]
    assert fault_that_ended_target(run) is None


@pytest.mark.parametrize(("last", "root_ended_s"), [("failed", 5.1), ("ended", 19.5)])
def test_a_target_that_does_not_come_back_is_named_with_the_fault(
    last: str, root_ended_s: float, tmp_path: Path
) -> None:
    """It cannot be started again, or ends at once."""
    events: list[tuple[float, Any, str]] = [(5, "began", ""), (19, last, "fault-not-undone" * (last == "failed"))]
    summary = judge(recorded(tmp_path, *events, root_ended_s=root_ended_s, lost=True))
    (reason, *_) = summary.verdict_reasons
    assert (summary.verdict, reason.code) == ("broken", "target-was-lost")
    assert reason.params["end"]["code"] == "target-ended-by-fault"
