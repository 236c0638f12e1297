"""Of the processes that end during the load, those that died are found, with when and what took their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.process_ends import ends_of
from harness.gates.judge import judge
from harness.record.findings import ProcessEnd
from harness.record.process_events import PROCESS_EVENTS, ProcessEvent
from harness.record.resources import process_source
from harness.recording.run import RunRecording, read_run
from tests.support.plans import ramp, steady
from tests.support.recordings import record_run

ROOT, WORKER, NEXT = 10, 11, 12


def started(at_s: float, pid: int, *, root: bool = False) -> tuple[float, ProcessEvent]:
    return at_s, ProcessEvent(0.0, "started", pid, 1 if root else ROOT, "python", root)


def ended(
    at_s: float, pid: int, status: int | None, *, root: bool = False, out_of_memory: bool = False
) -> tuple[float, ProcessEvent]:
    how = ProcessEvent(0.0, "ended", pid, root=root, status=status, out_of_memory=out_of_memory, last_lines=["the end"])
    return at_s, how


def recorded(tmp_path: Path, *events: tuple[float, ProcessEvent], lost: bool = False) -> RunRecording:
    folder = record_run(
        tmp_path,
        phases=[ramp(seconds=5), steady(seconds=30)],
        target_rss=lambda second: 1e8 + second,
        # Just before the second in which a worker is seen to have ended, it was read as a zombie.
        sampled=lambda second: {process_source(WORKER): {"rss_bytes": 2e7 + second if second < 16 else 0.0}},
        **({"stop_at_s": 20, "end_reason": "target lost"} if lost else {}),  # type: ignore[arg-type]  # literals
    )
    run = read_run(folder)
    writer = PROCESS_EVENTS.writer(folder.processes)
    for at_s, event in [started(0, ROOT, root=True), started(0, WORKER), *events]:
        writer.write(
            ProcessEvent(
                run.journal.epoch_s + at_s,
                event.event,
                event.pid,
                event.parent,
                event.name,
                event.root,
                status=event.status,
                out_of_memory=event.out_of_memory,
                last_lines=event.last_lines,
            )
        )
    writer.close()
    return run


def found(tmp_path: Path, *events: tuple[float, ProcessEvent], lost: bool = False) -> list[ProcessEnd]:
    return ends_of(recorded(tmp_path, *events, lost=lost))


def test_a_worker_that_is_killed_is_found_with_what_took_its_place(tmp_path: Path) -> None:
    (end,) = found(tmp_path, ended(17, WORKER, -11), started(18.5, NEXT))
    assert (end.pid, end.root, end.signal, end.exit_code) == (WORKER, False, "SIGSEGV", None)
    assert (end.phase, end.replaced_by, end.last_lines) == ("steady", NEXT, ["the end"])
    assert end.phase_s == pytest.approx(12, abs=0.5)
    assert end.rss_bytes == 2e7 + 15
    assert end.notice.code == "process-died-replaced"


def test_a_worker_that_nothing_replaces_says_so(tmp_path: Path) -> None:
    (end,) = found(tmp_path, ended(17, WORKER, 3), started(40, NEXT))
    assert (end.exit_code, end.signal, end.replaced_by, end.notice.code) == (3, None, None, "process-died")


@pytest.mark.parametrize("status", [0, -15, -2])
def test_workers_that_are_renewed_in_order_did_not_die(tmp_path: Path, status: int) -> None:
    assert not found(tmp_path, ended(17, WORKER, status), started(18, NEXT))


def test_a_command_that_the_target_ran_did_not_die(tmp_path: Path) -> None:
    assert not found(tmp_path, started(12, NEXT), ended(13, NEXT, 1))


def test_an_unknown_end_counts_only_if_another_process_took_the_place(tmp_path: Path) -> None:
    assert not found(tmp_path / "a", ended(17, WORKER, None))
    (end,) = found(tmp_path / "b", ended(17, WORKER, None), started(18, NEXT))
    assert (end.exit_code, end.signal, end.replaced_by) == (None, None, NEXT)


def test_workers_that_end_with_the_target_are_not_findings(tmp_path: Path) -> None:
    events = ended(19.8, WORKER, -9), ended(20, ROOT, -9, root=True, out_of_memory=True)
    run = recorded(tmp_path, *events, lost=True)
    summary = judge(run)
    (end,) = summary.ends
    assert (end.pid, end.root, end.signal, end.out_of_memory) == (ROOT, True, "SIGKILL", True)
    assert end.rss_bytes == 1e8 + 19
    assert (summary.verdict, summary.verdict_reasons[0].code) == ("broken", "target-was-lost")
    assert end.notice.text in summary.reasons[0]
