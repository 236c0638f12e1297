"""perf profiles what runs no Python: its samples are CPU time, and Node's functions have names."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from harness.faults.place import Place
from harness.faults.process import ProcessFault
from harness.plan.model.target import CommandTarget
from harness.record.profiles import Profile, read_folded
from harness.record.run_folder import RunFolder
from harness.sampling.perf import PerfSampler, _samples_of_threads, why_no_perf
from harness.sampling.spans import cpu_clocks
from harness.targets.start import start_target
from harness.targets.target import Target
from tests.support.children import die_with_the_tests, killed_at_end, wait_until
from tests.support.faults import running
from tests.support.requirements import not_met, require_program, require_root
from tests.support.targets import run_folder, script_target

RATE_HZ = 100
SERVER = """
const http = require('http');
function burn(n) { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i * s + 1); return s }
http.createServer((request, response) => {
  if (request.url !== '/health') burn(3000000);
  response.end('ok');
}).listen(+process.argv[2], '127.0.0.1');
"""


@pytest.fixture(autouse=True)
def perf() -> None:
    if (why := why_no_perf(os.getpid())) is not None:
        not_met(str(why))


def has_begun(folder: RunFolder) -> bool:
    """Whether perf records."""
    return any(data.stat().st_size for data in folder.cpu.glob("*.perf"))


def by_innermost(folder: RunFolder, profile: Profile) -> Counter[str]:
    weights: Counter[str] = Counter()
    for stack in read_folded(folder.path / profile.path):
        weights[stack.frames[-1]] += stack.weight
    return weights


@pytest.mark.slow
def test_samples_add_up_to_the_cpu_time_of_all_processes(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    shell = require_program("sh", "dash")
    spin = [shell, "-c", f"{shell} -c 'while :; do :; done' & while :; do :; done"]
    with subprocess.Popen(spin, preexec_fn=die_with_the_tests, process_group=0) as root:
        try:
            wait_until(lambda: len(cpu_clocks(root.pid)) == 2)
            at_first = cpu_clocks(root.pid)
            sampler = PerfSampler(lambda: root.pid, RATE_HZ, folder)
            sampler.begin_phase(3, "steady load")
            wait_until(lambda: has_begun(folder))
            before = cpu_clocks(root.pid)
            time.sleep(1.5)
            used_s = {pid: after - before[pid] for pid, after in cpu_clocks(root.pid).items()}
            (profile,) = sampler.close()
            most_s = {pid: after - at_first[pid] for pid, after in cpu_clocks(root.pid).items()}
        finally:
            os.killpg(root.pid, signal.SIGKILL)
    assert {note.code for note in sampler.notes} <= {"perf-without-names"}  # of the shell, which has no symbols
    assert (profile.kind, profile.phase, profile.path) == ("cpu", 3, "cpu/3-steady_load.folded")
    assert len(used_s) == 2
    seen_s = {pid: sum(span.cpu_s.get(pid, 0) for span in profile.spans) for pid in used_s}
    # perf takes a moment to start and to end
    assert all(0.6 * used_s[pid] <= seen_s[pid] <= 1.1 * most_s[pid] + 0.05 for pid in used_s), (seen_s, used_s, most_s)
    stacks = read_folded(folder.path / profile.path)
    assert sum(stack.weight for stack in stacks) == pytest.approx(RATE_HZ * sum(seen_s.values()))
    assert {stack.frames[0].startswith("process ") for stack in stacks} == {True, False}
    assert sorted(path.name for path in folder.cpu.iterdir()) == [
        "3-steady_load.folded",
        "3-steady_load.spans.folded",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False])
def test_a_function_of_node_is_named_if_node_says_where_it_is(tmp_path: Path, named: bool) -> None:
    node = require_program("node", "nodejs")
    folder = run_folder(tmp_path)
    script = tmp_path / "server.js"
    script.write_text(SERVER)
    naming = f"--perf-basic-prof --no-logfile-per-isolate --logfile={tmp_path / 'v8.log'}" if named else ""
    command = CommandTarget(command=f"{node} {naming} {script} {{port}}")
    with start_target(command, folder, agent=False) as target:
        assert target.pid is not None
        sampler = PerfSampler(partial(pid_of, target), RATE_HZ, folder)
        sampler.begin_phase(0, "steady")
        wait_until(lambda: has_begun(folder))
        until_s = time.monotonic() + 1
        while time.monotonic() < until_s:
            urllib.request.urlopen(target.url).close()
        (profile,) = sampler.close()
        Path(f"/tmp/perf-{target.pid}.map").unlink(missing_ok=True)
    (widest, _), *_ = by_innermost(folder, profile).most_common(1)
    assert str(target.pid) not in widest  # profiles are compared by name
    if named:
        assert widest == "burn (server.js:3)"
        assert profile.own == ["server.js"]
        assert sampler.notes == []
    else:
        (note,) = sampler.notes
        assert note.code == "perf-without-names"


BUSY = """
import threading
threading.Thread(target=serve, args=[sys.argv[1]], daemon=True).start()
while True:
    pass
"""


@pytest.mark.slow
def test_a_target_that_a_fault_has_started_again_is_recorded_again(tmp_path: Path) -> None:
    folder, crash = run_folder(tmp_path), ProcessFault(action="kill")
    with start_target(script_target(tmp_path, BUSY), folder, agent=False, faults=True) as target:
        there, first = Place(targets=(target.place,), harness=os.getpid()), pid_of(target)
        sampler = PerfSampler(partial(pid_of, target), RATE_HZ, folder)
        sampler.begin_phase(0, "steady")
        recorded_for_a_second(folder.cpu / "0-steady.0.perf", first)
        crash.begin(there)
        crash.end(there)
        second = pid_of(target)
        recorded_for_a_second(folder.cpu / "0-steady.1.perf", second)
        (profile,) = sampler.close()
    assert first != second
    seen_s = {pid: sum(span.cpu_s.get(pid, 0) for span in profile.spans) for pid in (first, second)}
    assert min(seen_s.values()) > 0.5, seen_s
    assert not [stack for stack in read_folded(folder.path / profile.path) if stack.frames[0].startswith("process ")]
    assert len(list(folder.cpu.iterdir())) == 2


BEGINNING = """
import os, sys, threading, time
from pathlib import Path

MOST, WORK_S = 2000, 0.005
folder = Path(sys.argv[1])
begun = []

def work():
    begun.append(threading.get_native_id())
    while not (folder / "work").exists():
        time.sleep(0.2)
    while not (folder / "end").exists():
        until_s = time.thread_time() + WORK_S
        while time.thread_time() < until_s:
            pass
        time.sleep(0.5)

def begin_threads():
    threads = []
    while len(threads) < MOST and not (folder / "enough").exists():
        threads.append(threading.Thread(target=work, daemon=True))
        threads[-1].start()
        time.sleep(0.005)
    for thread in threads:
        thread.join()
    (folder / "begun.part").write_text(" ".join(map(str, begun)))
    (folder / "begun.part").rename(folder / "begun")

for _ in range(300):  # perf attaches to them before it attaches to the one that begins others
    threading.Thread(target=time.sleep, args=[600], daemon=True).start()
threading.Thread(target=begin_threads, daemon=True).start()
print("on", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_threads_that_begin_while_perf_attaches_are_recorded_once(tmp_path: Path) -> None:
    folder, samples = run_folder(tmp_path), Counter[int]()

    class Watched(PerfSampler):
        def collect(self) -> list[Profile]:
            (phase,) = self._phases
            samples.update(sample.tid for sample in _samples_of_threads(phase.recordings))
            return super().collect()

    with running(BEGINNING, str(tmp_path)) as root:
        sampler = Watched(lambda: root.pid, 1000, folder)
        sampler.begin_phase(0, "steady")
        wait_until(lambda: has_begun(folder))
        (tmp_path / "enough").touch()
        later = folder.cpu / "0-steady.1.perf"
        wait_until(lambda: later.exists() and later.stat().st_size > 0)
        (tmp_path / "work").touch()
        wait_until(lambda: later.stat().st_size > 300_000)  # 2,000 samples of some 100 threads
        (tmp_path / "end").touch()
        wait_until((tmp_path / "begun").exists)
        used_s = cpu_clocks(root.pid)[root.pid]
        sampler.close()
    begun = set(map(int, (tmp_path / "begun").read_text().split()))
    assert begun <= set(samples)
    assert samples.total() <= 1.1 * 1000 * used_s, "none is counted twice"


def recorded_for_a_second(data: Path, pid: int) -> None:
    """Returns when ``pid`` has used this much CPU time since perf began to write."""
    wait_until(lambda: data.exists() and data.stat().st_size > 0)
    before = cpu_clocks(pid)[pid]
    wait_until(lambda: cpu_clocks(pid)[pid] > before + 1)


def pid_of(target: Target) -> int:
    assert target.pid is not None
    return target.pid


def test_why_perf_wrote_nothing_is_noted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with killed_at_end(subprocess.Popen(["sleep", "60"], preexec_fn=die_with_the_tests)) as idle:
        sampler = PerfSampler(lambda: idle.pid, RATE_HZ, folder)
        sampler.begin_phase(0, "steady")
        time.sleep(1)
        assert sampler.close() == []
    (note,) = sampler.notes
    assert note.code == "perf-failed"
    assert list(folder.cpu.iterdir()) == []


def test_no_profile_is_promised_of_another_users_process() -> None:
    """perf may be allowed for a user's own processes alone."""
    require_root()
    with killed_at_end(subprocess.Popen(["sleep", "60"], preexec_fn=die_with_the_tests)) as foreign:
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setuid(65534)
                os._exit(why_no_perf(foreign.pid) is None)
            finally:
                os._exit(2)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
