"""Memory traces: of every process of the target, and why there is none."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from harness.record.profiles import process_of_stack, read_folded
from harness.targets.start import start_target
from tests.support.children import wait_until
from tests.support.sampling import codes, plan, sampled_through, sampling
from tests.support.targets import run_folder, script_target


def test_a_target_that_holds_no_agent_is_noted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, "serve(sys.argv[1])", options="-I"), "diagnose")
    (note,) = sampled_through(run, folder, 0.1).notes
    assert note.code == "memory-no-agent"


def test_a_target_without_memray_is_noted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, "sys.modules['memray'] = None\nserve(sys.argv[1])"), "diagnose")
    (note,) = sampled_through(run, folder, 0.1).notes
    assert note.code == "memory-not-traced"
    assert "pip install memray" in str(note.params["reason"])


WORKERS = """
import multiprocessing, threading, time

def keep(kept, size):
    kept.append(bytearray(size))

def work(size, seconds):
    kept, end_s = [], time.monotonic() + seconds
    while time.monotonic() < end_s:
        keep(kept, size)
        time.sleep(0.02)

def start(how, *arguments):
    worker = multiprocessing.get_context(how).Process(target=work, args=arguments, daemon=True)
    worker.start()
    print(worker.pid, flush=True)
    return worker

if __name__ == "__main__":
    threading.Thread(target=serve, args=sys.argv[1:], daemon=True).start()
    for how in ("fork", "spawn"):
        start(how, 100_000, 90)
    while not os.path.exists("GO"):
        time.sleep(0.05)
    for how in ("fork", "spawn"):
        start(how, 100_000, 90)
    start("fork", 100_000, 0.5).join()
    killed = start("fork", 100_000, 90)
    time.sleep(0.7)
    killed.kill()
    killed.join()
    print("done", flush=True)
    time.sleep(90)
"""


@pytest.mark.slow
def test_every_process_is_traced_however_it_was_started_and_ended(tmp_path: Path) -> None:
    """Processes that are forked or spawned, before the phase or in it, and that exit or are killed."""
    folder = run_folder(tmp_path)
    go = tmp_path / "go"
    run = plan(script_target(tmp_path, WORKERS.replace('"GO"', repr(str(go)))), "diagnose")

    def said() -> list[str]:
        words = folder.target_log.read_text().split()
        return [word for word in words if word.isdigit() or word == "done"]

    with start_target(run.target, folder) as target, sampling(run, target, folder) as session:
        wait_until(lambda: len(said()) == 2 and len(target.agents()) >= 3)
        session.phase_started(0)
        wait_until(lambda: len(list(folder.memory.glob("*.bin"))) >= 3)
        go.touch()
        wait_until(lambda: "done" in said())
        wait_until(lambda: (folder.memory / f"0-the_diagnose.{said()[3]}.bin").exists())
        time.sleep(1)
        session.phase_ended(0)
    pids = [int(word) for word in said() if word != "done"]
    assert len(pids) == 6
    (profile,) = [profile for profile in session.index.profiles if profile.kind == "memory-allocated"]
    assert profile.path == "memory/0-the_diagnose.memory-allocated.folded"
    kept: Counter[int | None] = Counter()
    for stack in read_folded(folder.path / profile.path):
        if stack.frames[-1].startswith("keep (app.py:"):
            kept[process_of_stack(stack)] += stack.weight
    noted = {note.code: note.params for note in session.index.notes}
    assert set(noted) <= {"memory-trace-incomplete", "memory-trace-unreadable"}
    unreadable = {note.params["pid"] for note in session.index.notes if note.code == "memory-trace-unreadable"}
    assert {pid for pid, weight in kept.items() if weight > 500_000} == set(pids) - unreadable
    assert unreadable <= {target.pid, *pids[4:]}, "those that are still there can be read"
    assert len(list(folder.memory.glob("*.folded"))) == 3


@pytest.mark.slow
def test_a_trace_cut_off_by_the_targets_end_is_noted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, "serve(sys.argv[1])"), "diagnose")
    with start_target(run.target, folder) as target, sampling(run, target, folder) as session:
        assert target.pid is not None
        session.phase_started(0)
        wait_until(lambda: (folder.memory / "0-the_diagnose.bin").exists())
        time.sleep(0.5)
        os.kill(target.pid, signal.SIGKILL)
        wait_until(lambda: not target.is_alive())
        session.phase_ended(0)
    # or, on a slow machine, it ended before it had confirmed the trace
    assert {"memory-trace-incomplete", "memory-not-traced"} & set(codes(session.index))
