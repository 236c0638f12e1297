"""Sampling a real service: the hot function is the widest, the leaking one is found, everything ends."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from harness.faults.place import Place
from harness.faults.process import ProcessFault
from harness.messages import message
from harness.plan.model.sampling import Sampling
from harness.plan.model.target import AttachedTarget, CommandTarget
from harness.record.profiles import TASK, ProfileIndex, read_folded
from harness.record.resources import READINGS, process_of
from harness.record.run_folder import RunFolder
from harness.sampling.cpu import MIN_HZ
from harness.sampling.sampler import PID_UNKNOWN
from harness.targets.start import start_target
from tests.support.children import wait_until
from tests.support.requirements import require_program
from tests.support.sampling import (
    SPINNING,
    by_function,
    codes,
    plan,
    run_phases,
    run_sampled_phase,
    sampled_through,
    sampling,
)
from tests.support.targets import nginx_target, run_folder, script_target

APP = """
import asyncio
from fastapi import FastAPI

app = FastAPI()
LOCK = asyncio.Lock()
KEPT = []

def hoard():
    KEPT.append(bytearray(50_000))

def burn():
    total = 0
    for number in range(100_000):
        total += number * number
    return total

@app.get("/health")
def health():
    return {}

@app.get("/thread")
def in_a_thread():
    hoard()
    return burn()

@app.get("/held")
async def held():
    async with LOCK:
        await asyncio.sleep(0.1)

@app.get("/loop")
async def in_the_loop():
    hoard()
    return burn()
"""


@contextmanager
def load_on(*urls: str) -> Iterator[None]:
    ended = threading.Event()

    def user(url: str) -> None:
        while not ended.is_set():
            with urllib.request.urlopen(url, timeout=20) as response:
                response.read()
            time.sleep(0.02)

    users = [threading.Thread(target=user, args=(url,)) for url in urls]
    for thread in users:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in users:
            thread.join()


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, ProfileIndex]:
    tmp_path = tmp_path_factory.mktemp("sampled")
    (tmp_path / "hot.py").write_text(APP)
    command = f"{sys.executable} -m uvicorn hot:app --app-dir {shlex.quote(str(tmp_path))} --port {{port}}"
    folder = run_folder(tmp_path)
    run = plan(CommandTarget(command=f"{command} --log-level warning"), "steady", "pause", "diagnose")
    with (
        start_target(run.target, folder) as target,
        load_on(*(f"{target.url}/{path}" for path in ("thread", "loop", "held", "held"))),
        sampling(run, target, folder, lambda: [os.getpid()]) as session,
    ):
        run_sampled_phase(session, folder, target, 1.5)
        run_phases(session, 0.3, 1.5, first=1)
        before_the_end = [child.name() for child in psutil.Process().children()]
    assert session.index.notes == []
    assert "py-spy" not in before_the_end
    return folder, session.index


@pytest.mark.slow
def test_tasks_that_wait_are_in_the_profile_of_waits(sampled: tuple[RunFolder, ProfileIndex]) -> None:
    folder, index = sampled
    waits = next(profile for profile in index.profiles if profile.kind == "waits")
    tasks = [";".join(stack.frames) for stack in read_folded(folder.path / waits.path) if stack.frames[0] == TASK]
    held = [stack.rpartition(";")[2].partition(" ")[0] for stack in tasks if ";held (hot.py:" in stack]
    assert {"sleep", "Lock.acquire"} <= set(held)
    assert waits.own == ["hot.py"]


@pytest.mark.slow
def test_the_hot_function_is_the_widest_of_the_cpu_profile(sampled: tuple[RunFolder, ProfileIndex]) -> None:
    functions = by_function(*sampled, "cpu")
    assert functions.most_common(1)[0][0] == "burn (hot.py"
    folder, index = sampled
    (profile,) = [profile for profile in index.profiles if profile.kind == "cpu"]
    assert (profile.phase, profile.unit) == (0, "samples")
    assert profile.path == "cpu/0-the_steady.folded"
    assert profile.rate_hz is not None
    assert MIN_HZ <= profile.rate_hz <= 100
    assert 0 < profile.duration_s < 10
    above = {frame.partition(" ")[0] for stack in read_folded(folder.path / profile.path) for frame in stack.frames}
    assert {"in_a_thread", "in_the_loop"} <= above


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory-leaked", "memory-peak", "memory-allocated"])
def test_the_leaking_function_is_the_widest_of_the_memory_profiles(
    sampled: tuple[RunFolder, ProfileIndex], kind: str
) -> None:
    """Both on the event loop's thread and on the pool's, all of which ran before memray was turned on."""
    folder, index = sampled
    assert by_function(folder, index, kind).most_common(1)[0][0] == "hoard (hot.py"
    (profile,) = [profile for profile in index.profiles if profile.kind == kind]
    assert (profile.phase, profile.unit, profile.raw) == (2, "bytes", "memory/2-the_diagnose.bin")
    callers = {
        stack.frames[-2].partition(" ")[0]
        for stack in read_folded(folder.path / profile.path)
        if stack.frames[-1].startswith("hoard ")
    }
    assert callers == {"in_a_thread", "in_the_loop"}


@pytest.mark.slow
def test_the_index_is_saved_and_the_raw_files_are_kept(sampled: tuple[RunFolder, ProfileIndex]) -> None:
    folder, index = sampled
    assert ProfileIndex.load(folder.profiles) == index
    kept = [profile.raw or profile.spans_path for profile in index.profiles]
    assert all(path and (folder.path / path).stat().st_size for path in kept)


def test_resources_are_read_each_second(sampled: tuple[RunFolder, ProfileIndex]) -> None:
    folder, _ = sampled
    readings = READINGS.read(folder.resources)
    sources = {reading.source for reading in readings}
    assert {"target", "generator", "machine"} < sources
    assert len([source for source in sources if process_of(source) is not None]) == 1
    target = [reading.values for reading in readings if reading.source == "target"]
    assert len(target) >= 2
    for values in target:
        assert values["processes"] == 1
        assert values["rss_bytes"] > 2**20
        assert values["threads"] >= 2
        assert values["fds"] > 0
        assert values["cpu_percent"] >= 0
    assert target[0]["cpu_percent"] > 5


@pytest.mark.slow
def test_an_attached_target_gives_cpu_by_its_process_number(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with start_target(script_target(tmp_path, SPINNING), run_folder(tmp_path / "m")) as managed:
        run = plan(AttachedTarget(url=managed.url, pid=managed.pid), "steady", "diagnose")
        with start_target(run.target, folder) as target, sampling(run, target, folder) as session:
            run_sampled_phase(session, folder, target, 1)
            run_phases(session, 0.1, first=1)
    index = session.index
    assert by_function(folder, index, "cpu").most_common(1)[0][0] == "spin (app.py"
    assert codes(index) == ["memory-target-attached"]


def test_a_target_without_python_is_named_once_and_its_diagnose_phase_is_useless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = nginx_target(tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "sed"):
        (tools / name).symlink_to(require_program(name, "coreutils"))
    monkeypatch.setenv("PATH", str(tools))
    folder = run_folder(tmp_path)
    run = plan(target, "steady", "stress", "diagnose")
    with start_target(run.target, folder) as running, sampling(run, running, folder) as session:
        assert session.useless_phases == [2]
        run_phases(session, 0.1, 0.1)
        wait_until(lambda: any(reading.source == "target" for reading in READINGS.read(folder.resources)))
    (note,) = session.index.notes
    assert (note.code, note.params) == ("target-not-python", {"remedy": message("perf-missing")})
    assert session.index.profiles == []


def test_without_a_process_number_only_resources_are_sampled(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path / "m")) as managed:
        run = plan(AttachedTarget(url=managed.url), "steady")
        index = sampled_through(run, folder, 0.1)
    assert index == ProfileIndex(notes=[PID_UNKNOWN])


def test_what_is_switched_off_is_not_sampled(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, "serve(sys.argv[1])"), "steady", sampling=Sampling(cpu=None, memory=None))
    assert sampled_through(run, folder, 0.1) == ProfileIndex()


def test_a_target_that_dies_costs_only_what_was_not_sampled_yet(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, "serve(sys.argv[1])"), "steady", "stress", "diagnose")
    with start_target(run.target, folder) as target, sampling(run, target, folder) as session:
        assert target.pid is not None
        session.phase_started(0)
        time.sleep(1)
        os.kill(target.pid, signal.SIGKILL)
        wait_until(lambda: not target.is_alive())
        session.phase_ended(0)
        session.phase_started(1)
        time.sleep(0.5)
        session.phase_ended(1)
        session.phase_started(2)
    assert codes(session.index)[-2:] == ["cpu-target-ended", "memory-target-ended"]


@pytest.mark.slow
def test_a_target_that_a_fault_starts_again_within_a_phase_is_sampled(tmp_path: Path) -> None:
    folder, crash = run_folder(tmp_path), ProcessFault(action="kill")
    run = plan(script_target(tmp_path, SPINNING), "steady", "diagnose")
    with start_target(run.target, folder, faults=True) as target, sampling(run, target, folder) as session:
        there = Place(targets=(target.place,), harness=os.getpid())
        for index, file in enumerate((folder.cpu / "0-the_steady.0.{pid}.log", folder.memory / "1-the_diagnose.bin")):
            crash.begin(there)
            wait_until(lambda: not target.is_alive())
            session.phase_started(index)
            time.sleep(0.5)
            crash.end(there)
            path = Path(str(file).format(pid=target.pid))
            wait_until(path.exists)
            time.sleep(2)
            session.phase_ended(index)
    assert {profile.phase for profile in session.index.profiles} == {0, 1}
    assert "cpu-target-ended" not in codes(session.index)
    assert "memory-target-ended" not in codes(session.index)
