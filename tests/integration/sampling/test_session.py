"""Sampling a real service: the hot function is the widest, the leaking one is found, everything ends."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from harness.faults.place import Place
from harness.faults.process import ProcessFault
from harness.messages import message
from harness.plan.model.phase import Phase
from harness.plan.model.run import RunPlan
from harness.plan.model.sampling import Sampling
from harness.plan.model.target import AttachedTarget, CommandTarget, PlannedTarget, Variant
from harness.record.measurement import ONLY
from harness.record.profiles import TASK, ProfileIndex, process_of_stack, read_folded
from harness.record.resources import READINGS, process_of
from harness.record.run_folder import RunFolder
from harness.sampling.cpu import MIN_HZ, CpuSampler, gil_tier, rated
from harness.sampling.sampler import PID_UNKNOWN
from harness.sampling.session import SamplingSession
from harness.targets.start import start_target
from harness.targets.target import Target as RunningTarget
from tests.support.children import die_with_the_tests, killed_at_end, started_with, wait_until
from tests.support.plans import make_plan
from tests.support.requirements import require_program, require_root
from tests.support.targets import all_ended, nginx_target, run_folder, runs, script_target

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


SPINNING = """
import threading, time

def spin():
    while True:
        for _ in range(200_000): pass
        time.sleep(0.01)

threading.Thread(target=spin, daemon=True).start()
serve(sys.argv[1])
"""


def plan(target: PlannedTarget, *kinds: str, sampling: Sampling | None = None) -> RunPlan:
    phases = tuple(Phase(name=f"the {kind}", kind=kind, model="closed", description="") for kind in kinds)
    own = {"targets": (Variant(target=target),), "sampling": sampling or Sampling()}
    return make_plan(phases).model_copy(update=own)


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


def sampling(
    run: RunPlan, target: RunningTarget, folder: RunFolder, generator_pids: Callable[[], list[int]] = list
) -> SamplingSession:
    return SamplingSession(run.phases, run.sampling, [(ONLY, target)], folder, generator_pids, cores=2)


def codes(index: ProfileIndex) -> list[str]:
    return [note.code for note in index.notes]


def run_phases(session: SamplingSession, *seconds: float, first: int = 0) -> None:
    for index, duration_s in enumerate(seconds, first):
        session.phase_started(index)
        time.sleep(duration_s)
        session.phase_ended(index)


def sampled_through(run: RunPlan, folder: RunFolder, *seconds: float) -> ProfileIndex:
    """What is sampled of a run's target in phases of that many seconds."""
    with start_target(run.target, folder) as target, sampling(run, target, folder) as session:
        run_phases(session, *seconds)
    return session.index


def log_of(folder: RunFolder, span: int, target: RunningTarget, build: str = "") -> Path:
    """What py-spy says in one span of the first phase."""
    return folder.cpu / f"0-the_steady{build}.{span}.{target.pid}.log"


def span_began(folder: RunFolder, span: int, target: RunningTarget, build: str = "") -> bool:
    """Whether the span has begun."""
    log = log_of(folder, span, target, build)
    return log.exists() and b"Sampling process" in log.read_bytes()


def run_sampled_phase(
    session: SamplingSession, folder: RunFolder, target: RunningTarget, seconds: float, builds: Sequence[str] = ("",)
) -> None:
    """The first phase. It lasts so long from when py-spy samples, which on a busy machine takes a while to start."""
    session.phase_started(0)
    wait_until(lambda: all(span_began(folder, 0, target, build) for build in builds))
    time.sleep(seconds)
    session.phase_ended(0)


def by_function(folder: RunFolder, index: ProfileIndex, kind: str) -> Counter[str]:
    """Weight of each innermost function over all profiles of ``kind``."""
    weights: Counter[str] = Counter()
    for profile in index.profiles:
        if profile.kind == kind:
            for stack in read_folded(folder.path / profile.path):
                weights[stack.frames[-1].partition(":")[0]] += stack.weight
    return weights


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
        run_phases(session, 1.2, 0.1)
    (note,) = session.index.notes
    assert (note.code, note.params) == ("target-not-python", {"remedy": message("perf-missing")})
    assert session.index.profiles == []
    assert any(reading.source == "target" for reading in READINGS.read(folder.resources))


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


def test_a_phase_too_short_for_py_spy_is_noted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    run = plan(script_target(tmp_path, "serve(sys.argv[1])"), "spike")
    (note,) = sampled_through(run, folder, 0.0).notes
    # Interrupted before it listens for that, py-spy ends at once, or, on a busy machine, not by itself.
    assert note.code in ("cpu-phase-too-short", "cpu-py-spy-hangs")
    assert note.params == {"phase": "the spike"}


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
