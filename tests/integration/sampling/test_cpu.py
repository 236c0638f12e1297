"""CPU profiles: each py-spy in its spans, and why there are no samples."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from harness.plan.model.sampling import Sampling
from harness.plan.model.target import AttachedTarget
from harness.record.profiles import read_folded
from harness.sampling.cpu import CpuSampler, gil_tier, rated
from harness.sampling.session import SamplingSession
from harness.targets.start import start_target
from tests.support.children import die_with_the_tests, killed_at_end, started_with, wait_until
from tests.support.requirements import require_program, require_root
from tests.support.sampling import (
    SPINNING,
    codes,
    log_of,
    plan,
    run_sampled_phase,
    sampled_through,
    sampling,
    span_began,
)
from tests.support.targets import all_ended, run_folder, runs, script_target


@pytest.mark.slow
def test_samples_keep_their_time_and_their_process(tmp_path: Path) -> None:
    """Each process has samples of its own, and the CPU time that its clock counted."""
    code = """
import threading, time
def spin_in_child():
    while True:
        for _ in range(200_000): pass
        time.sleep(0.01)
def spin_in_parent():
    while True:
        for _ in range(200_000): pass
        time.sleep(0.01)
if os.fork() == 0:
    spin_in_child()
threading.Thread(target=spin_in_parent, daemon=True).start()
serve(sys.argv[1])
"""
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, code), "steady", sampling=Sampling(memory=None))
    with start_target(run.target, folder) as target, sampling(run, target, folder) as session:
        session.phase_started(0)
        wait_until(lambda: span_began(folder, 1, target))
        time.sleep(1)
        session.phase_ended(0)
    index = session.index
    profile = next(profile for profile in index.profiles if profile.kind == "cpu")
    assert len(profile.spans) >= 2
    assert profile.spans_path is not None
    seen: dict[int, set[int]] = {}
    functions: dict[int, Counter[str]] = {}
    for stack in read_folded(folder.path / profile.spans_path):
        span, pid = (int(frame.split()[1]) for frame in stack.frames[:2])
        seen.setdefault(pid, set()).add(span)
        functions.setdefault(pid, Counter())[stack.frames[-1].partition(" ")[0]] += stack.weight
    assert {found.most_common(1)[0][0] for found in functions.values()} == {"spin_in_child", "spin_in_parent"}
    assert all(spans == set(range(len(profile.spans))) for spans in seen.values())
    assert all(0 < part.cpu_s[pid] <= 1.1 * part.duration_s + 0.1 for part in profile.spans for pid in seen)
    ends_s = [part.offset_s + part.duration_s for part in profile.spans]
    assert all(part.offset_s - end_s < 1 for part, end_s in zip(profile.spans[1:], ends_s, strict=False))
    assert profile.own == ["app.py"]
    assert sorted(path.name for path in folder.cpu.iterdir()) == [
        "0-the_steady.folded",
        "0-the_steady.spans.folded",
        "0-the_steady.threads.folded",
        "0-the_steady.threads.spans.folded",
        "0-the_steady.waits.folded",
        "0-the_steady.waits.spans.folded",
    ]


@pytest.mark.slow
def test_of_a_duet_of_several_starts_one_of_each_build_is_sampled(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, SPINNING), "steady", sampling=Sampling(memory=None))
    with start_target(run.target, folder) as target:
        builds = [("a", target), ("b", target)] * 3
        with SamplingSession(run.phases, run.sampling, builds, folder, list, cores=2) as session:
            run_sampled_phase(session, folder, target, 1, ["_build_A", "_build_B"])
    assert [profile.variant for profile in session.index.profiles if profile.kind == "cpu"] == ["a", "b"]


def test_why_py_spy_could_not_start_is_noted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with killed_at_end(subprocess.Popen(["sleep", "60"], preexec_fn=die_with_the_tests)) as no_python:
        before = {child.pid for child in psutil.Process().children()}  # servers of other tests, too
        sampler = CpuSampler(lambda: no_python.pid, rated((gil_tier(100),), 2), folder)
        sampler.begin_phase(0, "steady")

        def others() -> list[int]:
            return [child.pid for child in psutil.Process().children() if child.pid not in before]

        wait_until(lambda: bool(others()))
        wait_until(lambda: not any(map(runs, others())))
        assert sampler.close() == []
    (note,) = sampler.notes
    assert note.code == "cpu-py-spy-failed"
    assert note.params["reason"]
    assert list(folder.cpu.iterdir()) == []


@pytest.mark.slow
def test_a_py_spy_that_dies_costs_its_span_only(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, SPINNING), "steady", sampling=Sampling(memory=None))
    with start_target(run.target, folder) as target, sampling(run, target, folder) as session:
        session.phase_started(0)
        wait_until(lambda: span_began(folder, 0, target))
        for child in started_with(str(log_of(folder, 0, target).with_suffix(".txt"))):
            child.kill()
        wait_until(lambda: span_began(folder, 1, target))
        time.sleep(1)
        session.phase_ended(0)
    index = session.index
    (profile,) = [profile for profile in index.profiles if profile.kind == "cpu"]
    assert len(profile.spans) == 1
    assert [(note.code, note.params["status"]) for note in index.notes] == [("cpu-py-spy-ended", -signal.SIGKILL)]


@pytest.mark.slow
def test_a_worker_that_died_but_was_not_waited_for_has_its_samples(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    code = SPINNING.replace("serve(", "if os.fork() == 0: spin()\nserve(")
    run = plan(script_target(tmp_path, code), "steady", sampling=Sampling(memory=None))
    with start_target(run.target, folder) as target, sampling(run, target, folder) as session:
        session.phase_started(0)
        (worker,) = psutil.Process(target.pid).children()
        log = log_of(folder, 0, target).with_name(f"0-the_steady.0.{worker.pid}.log")
        wait_until(lambda: log.exists() and b"Sampling process" in log.read_bytes())
        worker.kill()
        wait_until(lambda: worker.status() == psutil.STATUS_ZOMBIE)
        wait_until(lambda: span_began(folder, 1, target))
        session.phase_ended(0)
    assert codes(session.index) == []


def test_a_phase_too_short_for_py_spy_is_noted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, "serve(sys.argv[1])"), "spike")
    (note,) = sampled_through(run, folder, 0.0).notes
    # Interrupted before it listens for that, py-spy ends at once, or, on a busy machine, not by itself.
    assert note.code in ("cpu-phase-too-short", "cpu-py-spy-hangs")
    assert note.params == {"phase": "the spike"}


def test_without_permission_the_note_says_what_to_do(tmp_path: Path) -> None:
    """A process that lacks CAP_SYS_PTRACE may not look into one that has it."""
    require_root()
    program = require_program("setpriv", "util-linux")
    folder = run_folder(tmp_path)
    code = f"""
import sys, time
from pathlib import Path
from harness.record.run_folder import RunFolder
from harness.sampling.cpu import CpuSampler, gil_tier, rated
sampler = CpuSampler(lambda: {os.getpid()}, rated((gil_tier(100),), 2), RunFolder(Path({str(folder.path)!r})))
for index in range(2):
    sampler.begin_phase(index, "steady")
    time.sleep(0.7)
assert sampler.close() == []
print(*[note.code for note in sampler.notes])
"""
    command = [program, "--bounding-set", "-sys_ptrace", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["cpu-no-permission"]


@pytest.mark.slow
def test_py_spy_does_not_outlive_a_controller_that_is_killed(tmp_path: Path) -> None:
    """The target is attached: it keeps running, so py-spy would, too."""
    controller = tmp_path / "controller.py"
    tree: list[psutil.Process] = []
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path)) as target:
        run = plan(AttachedTarget(url=target.url, pid=target.pid), "steady")
        controller.write_text(
            f"""
import time
from pathlib import Path
from harness.plan.model.run import RunPlan
from harness.record.run_folder import RunFolder
from harness.sampling.session import SamplingSession
from harness.targets.start import start_target
plan = RunPlan.model_validate_json({run.model_dump_json()!r})
folder = RunFolder.create(Path({str(tmp_path)!r}), "run")
with start_target(plan.target, folder) as target, SamplingSession(
    plan.phases, plan.sampling, [("", target)], folder, list, cores=2
) as session:
    session.phase_started(0)
    time.sleep(300)
"""
        )

        def py_spy_runs() -> bool:
            tree[:] = psutil.Process(process.pid).children(recursive=True)
            with suppress(psutil.NoSuchProcess):  # one has just ended
                return [child.name() for child in tree].count("py-spy") == 3
            return False

        with killed_at_end(subprocess.Popen([sys.executable, controller])) as process:
            wait_until(py_spy_runs)
            time.sleep(0.5)
        assert target.is_alive()
        assert all_ended(child.pid for child in tree)
