"""Whoever is killed while faults are open: nothing stays paused, and what was begun is recorded as undone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.control.fault_process import FaultProcess
from harness.faults.orders import GivenFault, Setup
from harness.faults.place import Place
from tests.support.children import wait_until
from tests.support.faults import events_in, fault_processes, is_stopped, open_files_limited, running
from tests.support.targets import all_ended

PAUSE, COMMAND = 0, 1


class Run:
    """A process that carries out two faults: one pauses a process, one makes a file."""

    def __init__(self, folder: Path, other: psutil.Process) -> None:
        self.other = other
        self.log = folder / "faults"
        self.mark = folder / "broken"
        settings: list[tuple[str, dict[str, Any]]] = [
            ("process", {"action": "pause", "of": f"pid:{other.pid}"}),
            ("command", {"start": f"touch {self.mark}", "stop": f"rm {self.mark}"}),
        ]
        given = [GivenFault(name=kind, kind=kind, phase="steady", settings=keys) for kind, keys in settings]
        place = Place(allowed=(f"pid:{other.pid}", "command"), harness=os.getpid())
        self.setup = Setup(faults=tuple(given), place=place, log=str(self.log))
        self.start(self.setup)

    def start(self, setup: Setup) -> None:
        self.process = FaultProcess(setup, self.log.with_name("log"))
        self.lines: list[dict[str, Any]] = []
        self.heard("ready")
        (self.guard,) = fault_processes()
        (self.child,) = self.guard.children()

    def heard(self, key: str, count: int = 1) -> list[dict[str, Any]]:
        """The lines with that key, once there are this many."""

        def found() -> list[dict[str, Any]]:
            self.lines += self.process.read(0.05)
            return [line for line in self.lines if key in line][count - 1 :]

        wait_until(found, what=key)
        return [line for line in self.lines if key in line]

    def begin_both(self) -> None:
        for number in (PAUSE, COMMAND):
            self.process.send(begin=number, at=time.time(), until=time.time() + 600)
        wait_until(lambda: is_stopped(self.other) and self.mark.exists(), what="both faults")

    def nothing_is_broken(self) -> bool:
        return not is_stopped(self.other) and not self.mark.exists()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with running() as other:
        made = Run(tmp_path, other)
        yield made
        made.process.discard()
        assert all_ended([made.guard.pid, made.child.pid])


def test_it_may_open_as_many_files_as_the_system_allows(tmp_path: Path) -> None:
    with running() as other, open_files_limited(256):
        run = Run(tmp_path, other)
        soft, hard = run.child.rlimit(psutil.RLIMIT_NOFILE)
        assert soft == hard
        run.process.discard()
        assert all_ended([run.guard.pid, run.child.pid])


@pytest.mark.slow
def test_a_fault_begins_and_ends_at_its_time(run: Run) -> None:
    at_s = time.time() + 0.5
    run.process.send(begin=PAUSE, at=at_s, until=at_s + 2)
    began, ended = run.heard("fault", 2)
    assert 0 <= began["epoch_s"] - at_s < 10
    assert ended["epoch_s"] - at_s >= 2
    assert [began["event"], ended["event"]] == ["began", "ended"]
    wait_until(run.nothing_is_broken)


def test_a_clock_that_is_set_changes_no_time_of_a_fault(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_set = tmp_path / "set"
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, time\nreal = time.time\ntime.time = lambda: real() + 3600 * os.path.exists({str(is_set)!r})\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    run.process.discard()
    wait_until(lambda: not fault_processes())
    run.start(run.setup)
    is_set.touch()
    at_s = time.time()
    run.process.send(begin=COMMAND, at=at_s, until=at_s + 600)
    (began,) = run.heard("fault")
    assert 0 <= began["epoch_s"] - at_s < 600
    run.process.send(end_all=True)
    run.heard("over")


def test_a_fault_that_is_ended_before_its_time_never_begins(run: Run) -> None:
    run.process.send(begin=PAUSE, at=time.time() + 600, until=None)
    run.process.send(end_all=True)
    run.heard("over")
    assert events_in(run.log) == []


def test_a_fault_whose_time_is_over_never_begins(run: Run) -> None:
    run.process.send(begin=PAUSE, at=time.time() - 2, until=time.time() - 1)
    run.process.send(begin=COMMAND, at=time.time() - 2, until=time.time() + 600)
    wait_until(run.mark.exists)
    run.process.send(end_all=True)
    run.heard("over")
    assert events_in(run.log) == [("command", "began"), ("command", "ended")]


def test_the_end_of_the_harness_undoes_everything(run: Run) -> None:
    run.begin_both()
    run.process.close_orders()  # as the kernel does if the harness is killed
    assert all_ended([run.guard.pid, run.child.pid])
    wait_until(run.nothing_is_broken)
    assert sorted(events_in(run.log)[2:]) == [("command", "ended"), ("process", "ended")]


@pytest.mark.slow
def test_a_killed_child_is_replaced_by_one_that_undoes_and_continues(run: Run) -> None:
    run.begin_both()
    run.child.kill()
    run.heard("ready", 2)
    wait_until(run.nothing_is_broken)
    assert sorted(events_in(run.log)[2:]) == [("command", "ended"), ("process", "ended")]
    run.process.send(begin=PAUSE, at=time.time(), until=time.time() + 2)
    run.heard("fault", 6)
    assert events_in(run.log)[4:] == [("process", "began"), ("process", "ended")]
    (run.child,) = run.guard.children()


def test_a_start_that_was_under_way_is_killed_with_the_child_before_it_is_undone(tmp_path: Path) -> None:
    mark = tmp_path / "half"
    keys = {"start": f"sh -c 'touch {mark}; sleep 600'", "stop": f"rm {mark}", "timeout": "500s"}
    given = GivenFault(name="slow", kind="command", phase="steady", settings=keys)
    setup = Setup(faults=(given,), place=Place(allowed=("command",)), log=str(tmp_path / "faults"))
    process = FaultProcess(setup, tmp_path / "log")
    process.send(begin=0, at=time.time(), until=None)
    wait_until(mark.exists)
    (guard,) = fault_processes()
    (child,) = guard.children()
    under_way = [each.pid for each in child.children(recursive=True)]
    child.kill()
    wait_until(lambda: events_in(tmp_path / "faults") == [("slow", "began"), ("slow", "ended")])
    assert all_ended(under_way)
    assert not mark.exists()
    process.discard()


def test_a_killed_guard_is_not_missed(run: Run) -> None:
    run.begin_both()
    run.guard.kill()
    run.process.send(end=COMMAND)
    wait_until(lambda: not run.mark.exists())
    assert is_stopped(run.other)
    run.process.close_orders()
    assert all_ended([run.child.pid])
    wait_until(run.nothing_is_broken)


@pytest.mark.slow
def test_after_both_were_killed_another_one_undoes_what_was_open(run: Run) -> None:
    run.begin_both()
    run.guard.kill()
    run.child.kill()
    wait_until(lambda: run.process.read() == [] and run.process.has_ended)
    assert is_stopped(run.other)
    assert run.mark.exists()
    run.start(run.setup.model_copy(update={"undo": True}))
    wait_until(run.nothing_is_broken)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_of_a_terminal_do_not_end_it(number: signal.Signals, run: Run) -> None:
    run.begin_both()
    run.guard.send_signal(number)
    run.child.send_signal(number)
    time.sleep(0.2)
    assert is_stopped(run.other)
    assert run.mark.exists()
    run.process.send(end_all=True)
    run.heard("over")
    wait_until(run.nothing_is_broken)


def fill_disk_of(run: Run) -> None:
    """What a full disk is to the process: it can write no byte behind those that there are."""
    size = run.log.stat().st_size
    run.child.rlimit(psutil.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_keeps_nothing_from_being_undone(run: Run) -> None:
    run.begin_both()
    fill_disk_of(run)
    run.process.send(end_all=True)
    run.heard("over")
    wait_until(run.nothing_is_broken)
    assert [line["event"] for line in run.heard("fault")] == ["began", "began", "ended", "ended"]


def test_a_fault_that_cannot_be_written_down_does_not_begin(run: Run) -> None:
    """Otherwise a killed process would leave no record that the fault must be undone."""
    fill_disk_of(run)
    run.process.send(begin=PAUSE, at=time.time(), until=time.time() + 600)
    failed, ended = run.heard("fault", 2)
    assert (failed["event"], failed["error"]["code"], ended["event"]) == ("failed", "fault-not-begun", "ended")
    assert not is_stopped(run.other)
    assert events_in(run.log) == []


def test_a_stop_that_fails_is_reported_and_retried_at_the_end(tmp_path: Path) -> None:
    mark = tmp_path / "broken"
    keys = {"start": f"touch {mark}", "stop": f"sh -c 'test -e {tmp_path}/mended && rm {mark}'"}
    given = GivenFault(name="db slow", kind="command", phase="steady", settings=keys)
    setup = Setup(faults=(given,), place=Place(allowed=("command",)), log=str(tmp_path / "faults"))
    process = FaultProcess(setup, tmp_path / "log")
    process.send(begin=0, at=time.time(), until=time.time() + 600)
    wait_until(mark.exists)
    process.send(end=0)
    said: list[dict[str, Any]] = []

    def failed() -> list[dict[str, Any]]:
        said.extend(process.read(0.05))
        return [line for line in said if line.get("event") == "failed"]

    (failure,) = wait_until(failed, what="the failure")
    error = failure["error"]
    assert (error["code"], error["params"]["name"]) == ("fault-not-undone", "db slow")
    assert error["params"]["why"]["code"] == "fault-command-failed"
    assert error["params"]["remedy"]["params"] == {"command": keys["stop"]}
    (tmp_path / "mended").touch()
    process.close_orders()
    wait_until(lambda: process.read(0.05) == [] and process.has_ended, what="its end")
    process.discard()
    assert not mark.exists()
    assert events_in(tmp_path / "faults") == [("db slow", "began"), ("db slow", "failed"), ("db slow", "ended")]


def test_a_start_that_fails_is_undone_at_once(tmp_path: Path) -> None:
    mark = tmp_path / "half"
    keys = {"start": f"sh -c 'touch {mark}; exit 1'", "stop": f"rm -f {mark}"}
    given = GivenFault(name="half", kind="command", phase="steady", settings=keys)
    setup = Setup(faults=(given,), place=Place(allowed=("command",)), log=str(tmp_path / "faults"))
    process = FaultProcess(setup, tmp_path / "log")
    process.send(begin=0, at=time.time(), until=time.time() + 600)
    wait_until(lambda: len(events_in(tmp_path / "faults")) == 3)
    assert events_in(tmp_path / "faults") == [("half", "began"), ("half", "failed"), ("half", "ended")]
    assert not mark.exists()
    process.discard()
