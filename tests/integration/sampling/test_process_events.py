"""How real processes of a target ended is seen by a process that is not their parent."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.plan.model.sampling import Sampling
from harness.plan.model.target import AttachedTarget, CommandTarget
from harness.record.measurement import ONLY
from harness.record.process_events import PROCESS_EVENTS, ProcessEvent
from harness.record.resources import READINGS
from harness.record.run_folder import RunFolder
from harness.sampling.exit_watch import ExitWatch
from harness.sampling.process_events import ProcessEventSampler
from harness.sampling.sampler import SamplingContext
from harness.targets.kernel_log import OutOfMemoryWatch
from harness.targets.start import start_target
from harness.targets.target import Target
from tests.support.children import dying_with_the_tests, killed_at_end, wait_until
from tests.support.control_groups import memory_group
from tests.support.targets import run_folder, script_target

WORKERS = """
import signal, subprocess, time
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.02)
def work(order):
    pid = os.fork()
    if pid == 0:
        exec(order)
        os._exit(0)
    return pid
pids = [work(order) for order in ORDERS]
import threading
def parent():
    wait_for("SEEN")  # they are zombies until then
    for pid in pids:
        os.waitpid(pid, 0)
    work("time.sleep(60)")
threading.Thread(target=parent, daemon=True).start()
serve(sys.argv[1])
"""


@contextmanager
def sampled(target: Target, folder: RunFolder) -> Iterator[None]:
    writer = READINGS.writer(folder.resources)
    context = SamplingContext([(ONLY, target)], Sampling(), folder, writer, list, cores=2)
    sampler = ProcessEventSampler(context)
    sampler.start()
    try:
        yield
    finally:
        sampler.close()
        writer.close()
    assert sampler.notes == []


@contextmanager
def sampled_with_little_memory(tmp_path: Path, code: str, folder: RunFolder) -> Iterator[Target]:
    """A target that may use 150 MB, all its processes together."""
    with memory_group(150_000_000) as group:
        script = script_target(tmp_path, code)
        command = f"sh -c {shlex.quote(f'echo $$ > {group}/cgroup.procs; exec {script.command}')}"
        with start_target(CommandTarget(command=command), folder) as target, sampled(target, folder):
            yield target


def events(folder: RunFolder, event: str) -> list[ProcessEvent]:
    return [seen for seen in PROCESS_EVENTS.read(folder.processes) if seen.event == event]


def knows_ends_of_others() -> bool:
    """Whether the kernel keeps the exit status for holders of a pidfd: since 6.15."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 15)


@pytest.mark.slow
def test_how_each_worker_ended_is_seen_though_its_parent_waited_for_it(tmp_path: Path) -> None:
    go, seen = tmp_path / "go", tmp_path / "seen"
    ends = ("os._exit(7)", "os.kill(os.getpid(), signal.SIGSEGV)", "pass")
    orders = [f"wait_for({str(go)!r}); {end}" for end in ends]
    folder = run_folder(tmp_path)
    script = script_target(tmp_path, WORKERS.replace("ORDERS", repr(orders)).replace('"SEEN"', repr(str(seen))))
    with start_target(script, folder) as target, sampled(target, folder):
        wait_until(lambda: len(events(folder, "started")) == 4)
        go.touch()
        wait_until(lambda: len(events(folder, "ended")) == 3)
        seen.touch()
        wait_until(lambda: len(events(folder, "started")) == 5)
        pid = target.pid
    first, *started = events(folder, "started")
    assert (first.pid, first.root) == (pid, True)
    assert {(event.parent, event.root) for event in started} == {(pid, False)}
    ended = events(folder, "ended")
    assert len(started) == 4
    assert {event.pid for event in ended} == {event.pid for event in started[:3]}
    if knows_ends_of_others():
        assert {event.status for event in ended} == {7, -signal.SIGSEGV, 0}
    assert not any(event.out_of_memory for event in ended)


def test_the_end_of_the_target_has_its_status_and_its_last_lines_redacted(tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = f"""
import threading, time
def end():
    while not os.path.exists({str(go)!r}):
        time.sleep(0.02)
    print("no room: password=hunter2", flush=True)
    os._exit(5)
threading.Thread(target=end).start()
serve(sys.argv[1])
"""
    folder = run_folder(tmp_path)
    with start_target(script_target(tmp_path, code), folder) as target, sampled(target, folder):
        wait_until(lambda: bool(events(folder, "started")))
        go.touch()
        wait_until(lambda: not target.is_alive())
        wait_until(lambda: bool(events(folder, "ended")))
    (end,) = events(folder, "ended")
    assert (end.pid, end.root, end.status) == (target.pid, True, 5)
    assert end.last_lines == ["no room: password=***"]


def test_the_end_of_an_attached_target_is_seen_too(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path / "m")) as managed:
        attached = start_target(AttachedTarget(url=managed.url, pid=managed.pid), folder)
        with sampled(attached, folder):
            wait_until(lambda: bool(events(folder, "started")))
            assert managed.pid is not None
            os.kill(managed.pid, signal.SIGKILL)
            wait_until(lambda: bool(events(folder, "ended")))
    (end,) = events(folder, "ended")
    assert end.root
    assert end.status == -signal.SIGKILL or not knows_ends_of_others()
    assert not end.out_of_memory


def test_closing_does_not_wait_for_the_next_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sampling.process_events._LOOK_EVERY_S", 600.0)
    folder = run_folder(tmp_path)
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), folder) as target:
        with sampled(target, folder):
            wait_until(lambda: bool(events(folder, "started")))
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 60


def test_a_watch_is_woken_and_knows_its_processes() -> None:
    watch = ExitWatch()
    assert watch.add(os.getpid())
    assert os.getpid() in watch
    assert not watch.add(4194999)
    watch.wake()
    assert watch.ended(60) == []
    watch.close()


def test_out_of_memory_is_reported_only_if_the_kernel_reports_it(tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = f"""
import threading, time
def eat():
    kept = []
    while not os.path.exists({str(go)!r}):
        time.sleep(0.02)
    while True:
        kept.append(b"x" * 10_000_000)
threading.Thread(target=eat).start()
serve(sys.argv[1])
"""
    folder = run_folder(tmp_path)
    with sampled_with_little_memory(tmp_path, code, folder) as target:
        wait_until(lambda: bool(events(folder, "started")))
        go.touch()
        wait_until(lambda: bool(events(folder, "ended")))
        assert target.exit_description().code == "ended-out-of-memory"
    (end,) = events(folder, "ended")
    assert (end.status, end.out_of_memory) == (-signal.SIGKILL, True)


@pytest.mark.slow
def test_another_groups_lack_of_memory_explains_no_kill(tmp_path: Path) -> None:
    """The counters of version 1 of control groups count the groups below as well."""
    with killed_at_end(subprocess.Popen(dying_with_the_tests(["sleep", "60"]))) as other:
        watch = OutOfMemoryWatch(other.pid)
        counted = OutOfMemoryWatch(other.pid, log=tmp_path / "not readable")
        with memory_group(50_000_000) as group:
            code = f"open('{group}/cgroup.procs', 'w').write(str(__import__('os').getpid())); b'x' * 10**9"
            eater = subprocess.run(dying_with_the_tests([sys.executable, "-c", code]), check=False)
        assert eater.returncode == -signal.SIGKILL
        other.kill()
        assert not watch.killed(other.pid)
        assert counted.killed(other.pid) == (group.parent.name == "memory")


def test_one_process_out_of_memory_does_not_explain_the_next_kill(tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = f"""
import subprocess, time
EATER = "import os, time\\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)\\nb'x' * 10**9"
children = [subprocess.Popen([sys.executable, "-c", code]) for code in (EATER, "import time; time.sleep(600)")]
serve(sys.argv[1])
"""
    folder = run_folder(tmp_path)
    with sampled_with_little_memory(tmp_path, code, folder) as target:
        wait_until(lambda: len(events(folder, "started")) == 3)
        go.touch()
        wait_until(lambda: bool(events(folder, "ended")))
        eater = events(folder, "ended")[0].pid
        other = next(event.pid for event in events(folder, "started") if event.pid not in (target.pid, eater))
        os.kill(other, signal.SIGKILL)
        wait_until(lambda: len(events(folder, "ended")) == 2)
    assert [(end.pid, end.status, end.out_of_memory) for end in events(folder, "ended")] == [
        (eater, -signal.SIGKILL, True),
        (other, -signal.SIGKILL, False),
    ]
