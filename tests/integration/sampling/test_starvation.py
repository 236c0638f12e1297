"""Others that take the cores are told from a target that wants more than there are; with real processes."""

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

from harness.analysis.contamination import TAKEN, Interval, intervals_of
from harness.record.resources import READINGS, Reading
from harness.sampling.process_usage import ProcessUsageSampler
from tests.integration.sampling.test_process_usage import IDLE, context, running
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


@contextmanager
def hogs(folder: Path) -> Iterator[Callable[[], float]]:
    """Twice as many processes as cores that use all they get, and that nothing of the tests is an ancestor of.

    The result returns the CPU seconds that they have used.
    """
    enough = folder / "enough"
    subprocess.run(["setsid", "-f", sys.executable, "-c", HOG, str(enough), str(2 * CORES)], check=True)
    time.sleep(0.5)
    pids = [
        process.pid for process in psutil.process_iter(["cmdline"]) if str(enough) in (process.info["cmdline"] or ())
    ]
    try:
        yield lambda: sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)
    finally:
        enough.touch()


def sampled(folder: Path, target: list[str], seconds: float = SECONDS) -> tuple[list[Interval], list[Reading]]:
    """What was sampled of ``target`` in some seconds, and what that says; the whole test session is the harness."""
    found = run_folder(folder)
    with running(target) as process:
        # The session of pytest-xdist is the parent of this process.
        session = os.getppid() if os.environ.get("PYTEST_XDIST_WORKER") else os.getpid()
        sampler = ProcessUsageSampler(context(found, process.pid, list), session)
        sampler.start()
        time.sleep(seconds + 0.5)
        sampler.close()
    readings = READINGS.read(found.resources)
    return intervals_of(readings, 0.0, {})[1:], readings


def test_a_neighbour_that_takes_the_cores_contaminates(tmp_path: Path) -> None:
    with hogs(tmp_path) as used_s:
        before_s, began_s = used_s(), time.monotonic()
        intervals, _ = sampled(tmp_path, [sys.executable, "-c", MODEST])
        hogs_cores = (used_s() - before_s) / (time.monotonic() - began_s)
    assert sum(each.contaminated for each in intervals) >= len(intervals) / 2
    # How much the hogs get depends on what else runs.
    assert statistics.fmean(each.others_cores for each in intervals) > 0.5 * hogs_cores


def others(folder: Path) -> float:
    """How many cores others use beside a target that does nothing."""
    return max(each.others_cores for each in sampled(folder, IDLE, 3)[0])


def test_a_target_that_starves_itself_is_not_starved_by_others(tmp_path: Path) -> None:
    before = others(tmp_path / "before")
    intervals, readings = sampled(tmp_path, [sys.executable, "-c", MANY, str(4 * CORES)])
    waiting = [reading.values["waiting_percent"] for reading in readings if reading.source == "target"]
    assert min(waiting[1:]) > 100  # at least one thread waited all the time
    if max(before, others(tmp_path / "after")) > TAKEN / 2:
        pytest.skip("something else on this machine takes the cores")
    assert not any(each.contaminated for each in intervals)
