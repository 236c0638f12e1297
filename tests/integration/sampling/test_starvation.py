"""Processes that take the cores are distinguished from a target that wants more cores than there are."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from harness.analysis.taken_cores import TAKEN, ReadingInterval, intervals_of
from harness.record.resources import OTHERS, READINGS, Reading
from harness.sampling.other_processes import OthersClock
from harness.sampling.process_tree import all_pids, process_trees
from harness.sampling.process_usage import ProcessUsageSampler
from harness.sampling.tree_clock import cpu_clock_s
from tests.integration.sampling.test_process_usage import context, running
from tests.support.children import wait_until
from tests.support.targets import run_folder

CORES = psutil.cpu_count() or 1
MANY = """
import hashlib, sys, threading
def work():
    while True: hashlib.sha256(bytes(1_000_000))  # without the GIL
for _ in range(int(sys.argv[1])): threading.Thread(target=work).start()
"""
MODEST = """
import time
while True:
    ends = time.process_time() + 0.005
    while time.process_time() < ends: pass
    time.sleep(0.02)
"""
HOG = """
import os, sys, time
ends = time.monotonic() + 60
cores = 1
while cores < int(sys.argv[2]):
    os.fork()
    cores *= 2
while time.monotonic() < ends and not os.path.exists(sys.argv[1]): pass
"""
SECONDS = 4


def session() -> int:
    """The process that all tests descend from: of pytest-xdist, the parent of this one."""
    return os.getppid() if os.environ.get("PYTEST_XDIST_WORKER") else os.getpid()


@contextmanager
def hogs(folder: Path) -> Iterator[Callable[[], float]]:
    """Twice as many processes as cores that use all they get, and that nothing of the tests is an ancestor of.

    The result returns the CPU seconds that they have used.
    """
    enough = folder / "enough"
    subprocess.run(["setsid", "-f", sys.executable, "-c", HOG, str(enough), str(2 * CORES)], check=True)

    def begun() -> list[int]:
        every = psutil.process_iter(["cmdline"])
        return [process.pid for process in every if str(enough) in (process.info["cmdline"] or ())]

    try:
        pids = wait_until(lambda: found if len(found := begun()) >= 2 * CORES else [])
        yield lambda: sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)
    finally:
        enough.touch()


def sampled(
    folder: Path, target: list[str], seconds: float = SECONDS, look: Callable[[], None] = lambda: None
) -> tuple[list[ReadingInterval], list[Reading]]:
    """What was sampled of ``target`` in some seconds, and what that says; the whole test session is the harness.

    ``look`` is called as the first interval begins and as the last one ends.
    """
    found = run_folder(folder)
    with running(target) as process:
        sampler = ProcessUsageSampler(context(found, process.pid, list), session())
        sampler.start()
        time.sleep(1.0)
        look()
        time.sleep(seconds - 0.5)
        look()
        sampler.close()
    readings = READINGS.read(found.resources)
    return intervals_of(readings, 0.0, {})[1:], readings


@pytest.mark.slow
@pytest.mark.alone
def test_a_neighbour_that_takes_the_cores_contaminates(tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []
    with hogs(tmp_path) as used_s:
        intervals, readings = sampled(
            tmp_path, [sys.executable, "-c", MODEST], look=lambda: seen.append((used_s(), time.monotonic()))
        )
    (before_s, began_s), (after_s, ended_s) = seen
    hogs_cores = (after_s - before_s) / (ended_s - began_s)
    assert sum(each.contaminated for each in intervals) >= len(intervals) / 2
    named = {name for reading in readings if reading.source == OTHERS for name in reading.values}
    assert Path(sys.executable).name[:15] in named
    # How much the hogs get depends on what else runs.
    assert statistics.fmean(each.others_cores for each in intervals) > 0.5 * hogs_cores


def used_by_others(*roots: int) -> float:
    """CPU seconds that processes outside the trees under ``roots`` have used, and those stolen from the machine."""
    known = {pid for tree in process_trees(*roots) for pid in tree}
    total = float(getattr(psutil.cpu_times(), "steal", 0.0))
    for process in psutil.process_iter(["pid", "cpu_times"]):
        if process.info["pid"] not in known and process.info["cpu_times"] is not None:
            total += sum(process.info["cpu_times"][:4])  # with its children that have ended
    return total


@pytest.mark.slow
@pytest.mark.alone
def test_a_target_that_starves_itself_is_not_starved_by_others(tmp_path: Path) -> None:
    used: list[float] = []
    intervals, readings = sampled(
        tmp_path,
        [sys.executable, "-c", MANY, str(4 * CORES)],
        look=lambda: used.append(used_by_others(session())),
    )
    waiting = [reading.values["waiting_percent"] for reading in readings if reading.source == "target"]
    assert min(waiting[1:]) > 100  # at least one thread waited all the time
    # All that others used, if it were in one second, would be enough to take the cores.
    assert used[1] - used[0] > TAKEN or not any(each.contaminated for each in intervals)


def test_what_is_used_while_the_clocks_are_read_is_not_taken_by_others() -> None:
    clock = OthersClock()
    with running([sys.executable, "-c", "while True: pass"]) as process:

        def slowly() -> Iterator[int]:
            """All processes; their reader waits for a core before it comes to the busy one."""
            begun_s = cpu_clock_s(process.pid)
            yield from (pid for pid in all_pids() if pid != process.pid)
            wait_until(lambda: cpu_clock_s(process.pid) > begun_s + 1.0)
            yield process.pid

        clock.gained(slowly())
        assert clock.gained(all_pids()) < 0.5
