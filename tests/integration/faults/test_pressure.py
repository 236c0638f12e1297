"""Pressure on cores, memory and disk: real, bounded, and gone with the process that began it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.control.fault_process import FaultProcess
from harness.faults import pressing
from harness.faults.orders import GivenFault, Setup
from harness.faults.place import Place, TargetPlace
from harness.faults.pressure import PressureFault
from tests.support.children import dying_with_the_tests, killed_at_end, started_with, wait_until
from tests.support.control_groups import memory_group, target_in
from tests.support.errors import harness_error
from tests.support.faults import begun_elsewhere, events_in, open_files_limited
from tests.support.requirements import not_met, require_program
from tests.support.targets import all_ended

NOWHERE = Place()
MIB = 1 << 20


def presses() -> list[psutil.Process]:
    """The processes that press, of this test's process."""
    return started_with(pressing.__file__, recursive=True)


def ended(fault: PressureFault) -> None:
    fault.end(NOWHERE)
    fault.end(NOWHERE)
    assert presses() == []


@pytest.mark.slow
def test_a_share_of_all_cores_is_used() -> None:
    fault = PressureFault(cpu=0.25)
    fault.check(NOWHERE)
    fault.begin(NOWHERE)
    try:
        processes = presses()
        assert len(processes) == len(os.sched_getaffinity(0))
        for process in processes:
            assert wait_until(lambda process=process: process.cpu_times().user > 0.3)  # type: ignore[misc]
    finally:
        ended(fault)


def test_what_presses_memory_need_not_wait_for_a_core() -> None:
    fault = PressureFault(cpu=1.0, memory="32MiB")
    fault.begin(NOWHERE)
    try:
        kinds = [process.cmdline()[-2] for process in sorted(presses(), key=psutil.Process.create_time)]
        assert kinds == ["memory", *["cpu"] * len(os.sched_getaffinity(0))]
    finally:
        ended(fault)


def test_pressure_that_ended_by_itself_has_failed(tmp_path: Path) -> None:
    given = GivenFault(name="busy", kind="pressure", phase="steady", settings={"cpu": 0.25})
    process = FaultProcess(Setup(faults=(given,), place=NOWHERE, log=str(tmp_path / "faults")), tmp_path / "log")
    process.send(begin=0, at=time.time(), until=time.time() + 600)
    wait_until(lambda: len(presses()) == len(os.sched_getaffinity(0)), what="pressure")
    for press in presses():
        wait_until(lambda press=press: press.cpu_times().user > 0.1, what="its work")  # type: ignore[misc]
    killed = presses()[0]
    killed.kill()
    assert all_ended([killed.pid])  # on a busy machine, not at once
    process.send(end=0)
    said: list[dict[str, Any]] = []

    def has_ended() -> list[dict[str, Any]]:
        said.extend(process.read(0.05))
        return [line for line in said if line.get("event") == "ended"]

    wait_until(has_ended, what="its end")
    process.discard()
    (error,) = [one["error"] for one in said if one.get("event") == "failed"]
    assert (error["code"], error["params"]["why"]["code"]) == ("fault-ended-early", "fault-pressure-ended")
    assert events_in(tmp_path / "faults") == [("busy", "began"), ("busy", "failed"), ("busy", "ended")]


def test_a_process_with_many_open_files_can_press() -> None:
    with ExitStack() as files, open_files_limited(1200):
        while files.enter_context(Path(os.devnull).open()).fileno() < 1100:
            pass
        PressureFault(cpu=0.05).begin(NOWHERE)
        ended(PressureFault(cpu=0.05))


def test_memory_is_held_and_given_back() -> None:
    fault = PressureFault(memory="300MiB")
    fault.check(NOWHERE)
    fault.begin(NOWHERE)
    try:
        (process,) = presses()
        assert wait_until(lambda: process.memory_info().rss >= 300 * MIB)
        assert process.memory_info().rss < 400 * MIB
        assert Path(f"/proc/{process.pid}/oom_score_adj").read_text() == "1000\n"
    finally:
        ended(fault)


@pytest.mark.slow
def test_memory_is_released_when_others_need_it() -> None:
    before = pressing.available()
    if before < 4 << 30:
        not_met("less than 4 GiB of memory are available")
    settings = json.dumps({"size": 512 * MIB, "floor": before - 1536 * MIB})
    presses_memory = subprocess.Popen(
        dying_with_the_tests([sys.executable, "-I", "-S", pressing.__file__, "memory", settings]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with killed_at_end(presses_memory) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        held = psutil.Process(process.pid)
        wait_until(lambda: held.memory_info().rss > 256 * MIB, what="holding it")
        needed: list[bytearray] = []

        def is_released() -> bool:
            if len(needed) < 48:
                needed.append(bytearray(os.urandom(MIB)) * 64)
            return held.memory_info().rss < 128 * MIB

        wait_until(is_released, what="the release")


def test_disk_is_filled_by_a_file_without_a_name(tmp_path: Path) -> None:
    fault = PressureFault(disk="64MiB", folder=str(tmp_path))
    fault.check(NOWHERE)
    fault.begin(NOWHERE)
    try:
        (process,) = presses()
        held = [link.stat() for link in Path(f"/proc/{process.pid}/fd").iterdir()]
        assert max(each.st_blocks * 512 for each in held) >= 64 * MIB
        assert list(tmp_path.iterdir()) == []
    finally:
        ended(fault)


@pytest.mark.parametrize("settings", [{"memory": "95%"}, {"memory": "100000GiB"}, {"disk": "99%"}])
def test_more_than_is_safe_is_refused(settings: dict[str, str], tmp_path: Path) -> None:
    if "disk" in settings:
        settings = {**settings, "folder": str(tmp_path)}
    fault = PressureFault.model_validate(settings)
    for act in (fault.check, fault.begin):
        with harness_error("fault-pressure-too-much"):
            act(NOWHERE)
    assert presses() == []


def test_a_folder_that_is_in_memory_or_not_there_is_refused() -> None:
    with harness_error("fault-folder-in-memory"):
        PressureFault(disk="1MiB", folder="/dev/shm").check(NOWHERE)
    with harness_error("fault-folder-not-writable"):
        PressureFault(disk="1MiB", folder="/no/such").check(NOWHERE)


def test_when_its_process_is_killed_the_pressure_ends() -> None:
    with begun_elsewhere(PressureFault(cpu=0.05, memory="50MiB"), NOWHERE) as process:
        pids = [each.pid for each in presses()]
        assert len(pids) == len(os.sched_getaffinity(0)) + 1
        process.kill()
        assert all_ended(pids)


@pytest.fixture
def grouped() -> Iterator[tuple[Place, Path]]:
    """A target in a control group of its own with 128 MiB, and the group's folder."""
    with memory_group(128 * MIB) as folder, target_in(folder) as place:
        yield place, folder


def test_the_control_group_of_the_target_is_pressed(grouped: tuple[Place, Path]) -> None:
    place, folder = grouped
    with harness_error("fault-pressure-too-much"):
        PressureFault(of="target", memory="127MiB").check(place)
    fault = PressureFault(of="target", cpu=0.05, memory="10%")
    fault.check(place)
    fault.begin(place)
    try:
        memory = next(each for each in presses() if "memory" in each.cmdline())
        assert str(memory.pid) in (folder / "cgroup.procs").read_text().split()
        assert memory.memory_info().rss < 64 * MIB
    finally:
        ended(fault)


def test_a_target_without_its_own_group_is_reported() -> None:
    with killed_at_end(subprocess.Popen(dying_with_the_tests(["sleep", "600"]))) as target:
        place = Place(targets=(TargetPlace(url="", parent=target.pid),))
        with harness_error("fault-control-group-none"):
            PressureFault(of="target", cpu=0.1).check(place)
        with harness_error("fault-control-group-none"):
            PressureFault(of="target", cpu=0.1).check(NOWHERE)


def test_another_users_group_is_not_joined(grouped: tuple[Place, Path]) -> None:
    place, _ = grouped
    code = (
        "import sys; from harness.faults.place import Place; from harness.faults.pressure import PressureFault\n"
        "try: PressureFault(of='target', cpu=0.1).check(Place.model_validate_json(sys.argv[1]))\n"
        "except Exception as error: print(error.code)"
    )
    program = require_program("setpriv", "util-linux")
    words = [program, "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code]
    out = subprocess.run([*words, place.model_dump_json()], capture_output=True, text=True, check=False)
    assert out.stdout.strip() == "fault-control-group-closed", out.stderr
