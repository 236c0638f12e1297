"""CPU of processes that come and go is never negative and never counted twice."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from harness.plan.model.sampling import Sampling
from harness.plan.model.target import AttachedTarget
from harness.record.measurement import ONLY
from harness.record.resources import OTHERS, READINGS, process_of, process_source
from harness.record.run_folder import RunFolder
from harness.sampling.process_tree import process_trees
from harness.sampling.process_usage import ProcessUsageSampler, UsageMeter
from harness.sampling.sampler import PID_UNKNOWN, SamplingContext
from harness.sampling.tree_clock import TreeClock
from harness.targets.target import Attached
from tests.support.children import dying_with_the_tests, killed_at_end, wait_until
from tests.support.faults import suspend
from tests.support.targets import run_folder

BUSY = [sys.executable, "-c", "while True: pass"]
IDLE = [sys.executable, "-c", "import time; time.sleep(60)"]


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with killed_at_end(subprocess.Popen(dying_with_the_tests(command))) as process:
        yield process


def context(folder: RunFolder, pid: int | None, generator_pids: Callable[[], list[int]]) -> SamplingContext:
    writer = READINGS.writer(folder.resources)
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Attached(AttachedTarget(url=f"http://127.0.0.1:{server.getsockname()[1]}", pid=pid), ())
    return SamplingContext([(ONLY, target)], Sampling(), folder, writer, generator_pids, cores=2)


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def test_processes_that_come_and_go() -> None:
    meter = UsageMeter()
    with running(BUSY) as old, running(BUSY) as stranger:
        known, late = psutil.Process(old.pid), psutil.Process(stranger.pid)
        wait_until(lambda: used(known) > 0.1 and used(late) > 0.1)
        first = meter.read([known], time.time())
        assert "cpu_percent" not in first
        assert first["processes"] == 1

        by_then = used(known)
        wait_until(lambda: used(known) > by_then + 0.1)
        now = time.time()
        with_stranger = meter.read([known, late], now)
        # CPU time from before the process joined the tree does not count
        assert 0 < with_stranger["cpu_percent"] * 100 < 100 * 100 * (psutil.cpu_count() or 1)
        assert with_stranger["processes"] == 2

        suspend(known)
        suspend(late)
        with running(BUSY) as young:
            new = psutil.Process(young.pid)
            wait_until(lambda: used(new) > 0.3)
            with_new = meter.read([known, new], now + 1.0)
            # all of the new one's time counts: it began after the last reading
            assert with_new["cpu_percent"] >= 30
            young.kill()
        old.kill()
        stranger.kill()
        old.wait()
        stranger.wait()
        gone = meter.read([known, new, late], now + 2.0)
    assert gone == {"rss_bytes": 0, "threads": 0, "fds": 0, "processes": 0, "cpu_percent": 0}


SPIN = "import time; ends = time.process_time() + 0.25\nwhile time.process_time() < ends: pass"
CHILDREN = f"for _ in range(2): subprocess.call([sys.executable, '-S', '-c', {SPIN!r}])"
UNREAPED = f"signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n{CHILDREN}"
THREADS = f"for _ in range(2): t = threading.Thread(target=exec, args=[{SPIN!r}]); t.start(); t.join()"


@contextmanager
def waiting_to(code: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[], None], Callable[[], str]]]:
    """A process that runs ``code`` when told to, and says when it has: the process, how to tell it, how to wait."""
    script = f"import signal, subprocess, sys, threading, time\nprint('ready', flush=True); input()\n{code}\n"
    process = subprocess.Popen(
        dying_with_the_tests([sys.executable, "-c", f"{script}print('done', flush=True); input()"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def go() -> None:
        stdin.write("\n")
        stdin.flush()

    with killed_at_end(process):
        assert stdout.readline() == "ready\n"
        yield process, go, stdout.readline


@pytest.mark.slow
@pytest.mark.parametrize(("code", "least", "most"), [(CHILDREN, 0.5, 0.9), (THREADS, 0.25, 0.8), (UNREAPED, 0.0, 0.35)])
@pytest.mark.parametrize("looks", [0, 5])
def test_what_ended_between_readings_is_counted_once(code: str, least: float, most: float, looks: int) -> None:
    with waiting_to(code) as (process, go, done):
        clock = TreeClock()

        def used_since() -> float:
            return clock.gained(process_trees(process.pid)[0])

        total = used_since()
        go()
        for _ in range(looks):
            time.sleep(0.1)
            total += used_since()
        assert done() == "done\n"
        total += used_since()
        if looks == 0 or code != UNREAPED:  # a child that nothing waits for counts up to its last reading
            assert least <= total <= most
        assert total <= 0.9
        assert used_since() < 0.1


def test_a_child_that_the_look_at_all_processes_missed_is_counted() -> None:
    with waiting_to(f"subprocess.call([sys.executable, '-S', '-c', {SPIN!r}])") as (process, go, done):
        clock = TreeClock()
        clock.gained([process.pid])
        go()
        wait_until(lambda: any(used(child) > 0.05 for child in psutil.Process(process.pid).children()))
        total = clock.gained([process.pid])  # as if it had begun after the look
        total += clock.gained(process_trees(process.pid)[0])
        assert done() == "done\n"
        total += clock.gained(process_trees(process.pid)[0])
        assert 0.25 <= total <= 0.8


def test_each_process_of_the_target_has_readings_that_add_up(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    child = f"{SPIN}\nimport sys; sys.stdin.read()"  # and runs until the test closes its standard input
    with waiting_to(f"subprocess.call([sys.executable, '-c', {child!r}])") as (process, go, _):
        go()
        sampler = ProcessUsageSampler(context(folder, process.pid, list))
        sampler.start()
        wait_until(
            lambda: any(
                reading.values.get("cpu_s", 0) >= 0.25 and process_of(reading.source) not in (None, process.pid)
                for reading in READINGS.read(folder.resources)
            )
        )
        sampler.close()
    moments: dict[float, dict[str, dict[str, float]]] = {}
    for reading in READINGS.read(folder.resources):
        moments.setdefault(reading.epoch_s, {})[reading.source] = reading.values
    *_, last = moments.values()
    each = {pid: values for source, values in last.items() if (pid := process_of(source)) is not None}
    assert len(each) == last["target"]["processes"] == 2
    assert sum(values["rss_bytes"] for values in each.values()) == last["target"]["rss_bytes"]
    (pid,) = set(each) - {process.pid}
    assert 0.25 <= each[pid]["cpu_s"] < 1


def test_a_target_that_ends_leaves_no_readings_of_zero(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with running(IDLE) as process:
        sampler = ProcessUsageSampler(context(folder, process.pid, lambda: [4194999]))
        sampler.start()
        wait_until(lambda: any(reading.source == "target" for reading in READINGS.read(folder.resources)))
        process.kill()
    seen = len(READINGS.read(folder.resources))
    wait_until(lambda: len(READINGS.read(folder.resources)) > seen + 1)
    sampler.close()
    assert sampler.notes == []
    readings = READINGS.read(folder.resources)
    assert readings[-1].source == "machine"
    sources = {reading.source for reading in readings} - {OTHERS}  # on a busy machine
    assert sources == {"machine", "target", process_source(process.pid)}
    machine = readings[-1].values
    assert 0 <= machine["cpu_percent"] <= 100 * (psutil.cpu_count() or 1)
    assert 0 < machine["memory_used_bytes"] < machine["memory_total_bytes"]


def test_an_error_in_sampling_is_noted_and_ends_nothing_else(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)

    def broken() -> list[int]:
        raise RuntimeError("no workers here")

    sampler = ProcessUsageSampler(context(folder, None, broken))
    sampler.start()
    sampler.close()
    assert sampler.notes[0] == PID_UNKNOWN
    assert sampler.notes[1].code == "sampling-ended-early"
    assert sampler.notes[1].params["reason"] == "no workers here"
    assert READINGS.read(RunFolder(folder.path).resources) == []
