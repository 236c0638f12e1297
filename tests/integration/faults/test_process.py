"""Faults on processes that are not the harness's own: pauses end, kills hit what they mean, nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from harness.errors import HarnessError
from harness.faults.place import Place, TargetPlace
from harness.faults.process import ProcessFault
from harness.targets.supervised_process import SupervisedProcess
from tests.support.children import wait_until
from tests.support.errors import harness_error
from tests.support.faults import WORKERS, is_stopped, running, suspend
from tests.support.requirements import require_program, require_root


def place(root: psutil.Process | None = None, *allowed: str) -> Place:
    """A run on an attached target."""
    targets = () if root is None else (TargetPlace(url="http://127.0.0.1:9", parent=root.pid),)
    return Place(targets=targets, allowed=allowed, harness=os.getpid())


def test_a_pause_stops_the_target_with_all_its_processes_until_it_ends() -> None:
    with running(WORKERS) as root:
        tree = [root, *root.children(recursive=True)]
        assert len(tree) == 3
        fault, there = ProcessFault(action="pause"), place(root, f"pid:{root.pid}")
        fault.check(there)
        fault.begin(there)
        wait_until(lambda: all(map(is_stopped, tree)))
        ProcessFault(action="pause").end(there)  # another process would undo it like this
        wait_until(lambda: not any(map(is_stopped, tree)))
        fault.end(there)  # twice is once


def test_one_worker_is_paused_and_its_parent_continues() -> None:
    with running(WORKERS) as root:
        fault, there = ProcessFault(action="pause", of="worker"), place(root, f"pid:{root.pid}")
        fault.check(there)
        fault.begin(there)
        wait_until(lambda: sorted(map(is_stopped, root.children())) == [False, True])
        assert not is_stopped(root)
        fault.end(there)
        wait_until(lambda: not any(map(is_stopped, root.children())))


def test_a_killed_worker_stays_dead() -> None:
    with running(WORKERS) as root:
        fault, there = ProcessFault(action="kill", of="worker"), place(root, f"pid:{root.pid}")
        assert fault.is_momentary
        fault.begin(there)
        wait_until(lambda: [child.status() for child in root.children()].count(psutil.STATUS_ZOMBIE) == 1)
        fault.end(there)
        assert root.is_running()


def test_only_paused_processes_are_continued() -> None:
    with running(WORKERS) as root:
        fault, there = ProcessFault(action="pause", of="worker"), place(root, f"pid:{root.pid}")
        fault.begin(there)
        wait_until(lambda: sorted(map(is_stopped, root.children())) == [False, True])
        (paused,) = [child for child in root.children() if is_stopped(child)]
        (other,) = [child for child in root.children() if child != paused]
        suspend(other)
        fault.end(there)
        wait_until(lambda: not is_stopped(paused))
        assert is_stopped(other)


def test_which_of_several_workers_is_the_busiest_is_not_certain_before_the_load() -> None:
    with running(WORKERS) as root:
        there = place(root, f"pid:{root.pid}")
        worker, target = ProcessFault(action="pause", of="worker"), ProcessFault(action="pause")
        assert worker.will_act_on(there) == {"target"}
        assert len(worker.acts_on(there)) == 2
        assert worker.acts_on(there) < target.acts_on(there) == target.will_act_on(there)


def test_a_paused_process_continues_although_its_parent_has_ended() -> None:
    with running(WORKERS) as root:
        workers = root.children()
        try:
            fault, there = ProcessFault(action="pause"), place(root, f"pid:{root.pid}")
            fault.begin(there)
            wait_until(lambda: all(map(is_stopped, workers)))
            root.kill()
            wait_until(lambda: root.status() == psutil.STATUS_ZOMBIE)
            fault.end(there)
            wait_until(lambda: not any(map(is_stopped, workers)))
        finally:
            for worker in workers:
                worker.kill()


SUCCESSOR = """
import os, signal, subprocess, sys, time
from pathlib import Path
import psutil
from harness.errors import HarnessError
from harness.faults.place import Place, TargetPlace
from harness.faults.process import ProcessFault

first = subprocess.Popen(["sleep", "600"])
name = f"pid:{first.pid}"
place = Place(targets=(TargetPlace(url="", parent=first.pid),), allowed=(name,)).knowing([first.pid])
of = name if sys.argv[1] == "pid" else "target"
fault = ProcessFault(action="pause", of=of)
fault.begin(place)
time.sleep(0.1)  # the kernel notes in hundredths of a second when a process started
first.kill()
first.wait()
Path("/proc/sys/kernel/ns_last_pid").write_text(str(first.pid - 1))
second = subprocess.Popen(["sleep", "600"])
assert second.pid == first.pid
second.send_signal(signal.SIGSTOP)
os.waitid(os.P_PID, second.pid, os.WSTOPPED)
fault.end(place)
print(psutil.Process(second.pid).status())
for action in ("pause", "kill"):
    try:
        ProcessFault(action=action, of=of).begin(place)
    except HarnessError as error:
        print(error.code)
print(psutil.Process(second.pid).status())
"""


@pytest.mark.parametrize("of", ["pid", "target"])
def test_another_process_that_got_the_number_is_never_touched(of: str) -> None:
    require_root()
    # In a separate namespace, whose process IDs no other process gets.
    apart = [require_program("unshare", "util-linux"), "--pid", "--fork", "--mount-proc", "--kill-child"]
    done = subprocess.run([*apart, sys.executable, "-c", SUCCESSOR, of], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["stopped", *["fault-process-not-found"] * 2, "stopped"], done.stderr


def test_an_allowed_process_is_killed() -> None:
    with running() as other:
        there = place(None, f"pid:{other.pid}")
        fault = ProcessFault(action="kill", of=f"pid:{other.pid}")
        assert fault.outside == (f"pid:{other.pid}",)
        fault.check(there)
        fault.begin(there)
        wait_until(lambda: other.status() == psutil.STATUS_ZOMBIE)
        fault.end(there)


def test_a_program_is_found_by_its_name_and_only_touched_if_allowed() -> None:
    name = "sleep"
    with running("print('on', flush=True); import os; os.execvp('sleep', ['sleep', '601'])") as other:
        wait_until(lambda: other.name() == name)
        fault = ProcessFault(action="pause", of=name)
        with pytest.raises(HarnessError) as raised:
            fault.check(Place(harness=0))
        assert (raised.value.code, raised.value.params["name"]) == ("fault-not-allowed", name)
        with pytest.raises(HarnessError) as raised:  # what the harness itself has started is never meant
            fault.check(Place(harness=os.getpid()))
        assert raised.value.code in ("fault-process-not-found", "fault-not-allowed")
        of_target = place(other, f"pid:{other.pid}")
        fault.begin(of_target)
        wait_until(lambda: is_stopped(other))
        fault.end(of_target)
        wait_until(lambda: not is_stopped(other))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (ProcessFault(action="pause"), "fault-not-allowed"),
        (ProcessFault(action="restart"), "fault-restart-of-attached"),
        (ProcessFault(action="kill", of="worker"), "fault-not-allowed"),
        (ProcessFault(action="kill", of="vendor"), "fault-not-allowed"),
        (ProcessFault(action="kill", of="pid:4194305"), "fault-process-not-found"),
        (ProcessFault(action="kill", of="no-such-program"), "fault-process-not-found"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_refused_before_any_load(fault: ProcessFault, code: str) -> None:
    with running() as root:
        with pytest.raises(HarnessError) as raised:
            fault.check(place(root))
        assert raised.value.code == code
        assert str(raised.value), "its sentence can be filled in"
        assert root.is_running()
        assert not is_stopped(root)


@pytest.mark.parametrize("of", ["worker", "vendor"])
def test_a_target_without_such_a_process_is_refused(of: str) -> None:
    with running() as root, pytest.raises(HarnessError) as raised:
        ProcessFault(action="kill", of=of).check(place(root, f"pid:{root.pid}"))
    assert (raised.value.code, raised.value.params["of"]) == ("fault-target-without-process", of)


def test_a_target_whose_process_is_unknown_cannot_be_paused() -> None:
    there = Place(targets=(TargetPlace(url="http://127.0.0.1:9", parent=None),))
    with pytest.raises(HarnessError) as raised:
        ProcessFault(action="pause").check(there)
    assert raised.value.code == "fault-target-pid-unknown"


def test_a_build_starts_again_even_if_the_other_cannot(tmp_path: Path) -> None:
    programs = [tmp_path / build for build in "ab"]
    with ExitStack() as around:
        targets, processes = [], []
        for program in programs:
            program.write_text("#!/bin/sh\nexec sleep 60\n")
            program.chmod(0o755)
            control = tmp_path / f"{program.name}.sock"
            process = SupervisedProcess([str(program)], os.environ, tmp_path / f"{program.name}.log", control=control)
            around.callback(process.stop, 5.0)
            processes.append(process)
            targets.append(TargetPlace(url="http://127.0.0.1:9", parent=process.supervisor_pid, control=str(control)))
        there, fault = Place(targets=tuple(targets), harness=os.getpid()), ProcessFault(action="kill")
        fault.begin(there)
        killed = [process.pid for process in processes]
        wait_until(lambda: all(process.poll() is not None for process in processes))
        programs[0].unlink()
        with harness_error("fault-target-not-started"):
            fault.end(there)
        wait_until(lambda: processes[1].poll() is None)
        assert processes[1].pid not in killed
