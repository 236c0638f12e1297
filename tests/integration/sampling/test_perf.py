"""perf profiles what runs no Python: its samples are CPU time, and Node's functions have names."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from harness.plan.model import CommandTarget
from harness.record.profiles import Profile, read_folded
from harness.record.run_folder import RunFolder
from harness.sampling.perf import PerfSampler, why_no_perf
from harness.sampling.spans import cpu_clocks
from harness.targets.start import start_target
from tests.support.children import die_with_the_tests
from tests.support.programs import require_program
from tests.support.targets import run_folder

pytestmark = [
    pytest.mark.traced,
    pytest.mark.skipif(why_no_perf() is not None, reason=f"perf cannot be used here: {why_no_perf()}"),
]

RATE_HZ = 100
SERVER = """
const http = require('http');
function burn(n) { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i * s + 1); return s }
http.createServer((request, response) => {
  if (request.url !== '/health') burn(3000000);
  response.end('ok');
}).listen(+process.argv[2], '127.0.0.1');
"""


def by_innermost(folder: RunFolder, profile: Profile) -> Counter[str]:
    weights: Counter[str] = Counter()
    for stack in read_folded(folder.path / profile.path):
        weights[stack.frames[-1]] += stack.weight
    return weights


def test_samples_add_up_to_the_cpu_time_of_all_processes(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    shell = require_program("sh", "dash")
    spin = [shell, "-c", f"{shell} -c 'while :; do :; done' & while :; do :; done"]
    with subprocess.Popen(spin, preexec_fn=die_with_the_tests, process_group=0) as root:
        try:
            time.sleep(0.5)
            sampler = PerfSampler(root.pid, RATE_HZ, folder)
            before = cpu_clocks(root.pid)
            sampler.begin_phase(3, "steady load")
            time.sleep(6)
            used_s = {pid: after - before[pid] for pid, after in cpu_clocks(root.pid).items()}
            (profile,) = sampler.close()
        finally:
            os.killpg(root.pid, signal.SIGKILL)
    assert {note.code for note in sampler.notes} <= {"perf-without-names"}  # of the shell, which has no symbols
    assert (profile.kind, profile.phase, profile.path) == ("cpu", 3, "cpu/3-steady_load.folded")
    assert len(used_s) == 2
    seen_s = {pid: sum(span.cpu_s.get(pid, 0) for span in profile.spans) for pid in used_s}
    # perf takes a moment to start, which on a busy machine may be a second
    assert all(0.6 * used <= seen_s[pid] <= 1.1 * used + 0.05 for pid, used in used_s.items()), (seen_s, used_s)
    stacks = read_folded(folder.path / profile.path)
    assert sum(stack.weight for stack in stacks) == pytest.approx(RATE_HZ * sum(seen_s.values()))
    assert {stack.frames[0].startswith("process ") for stack in stacks} == {True, False}
    assert sorted(path.name for path in folder.cpu.iterdir()) == [
        "3-steady_load.folded",
        "3-steady_load.spans.folded",
    ]


@pytest.mark.parametrize("named", [True, False])
def test_a_function_of_node_is_named_if_node_says_where_it_is(tmp_path: Path, named: bool) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node: apt-get install nodejs")
    folder = run_folder(tmp_path)
    script = tmp_path / "server.js"
    script.write_text(SERVER)
    command = CommandTarget(command=f"{node} {'--perf-basic-prof' if named else ''} {script} {{port}}")
    with start_target(command, folder, agent=False) as target:
        assert target.pid is not None
        sampler = PerfSampler(target.pid, RATE_HZ, folder)
        sampler.begin_phase(0, "steady")
        until_s = time.monotonic() + 5
        while time.monotonic() < until_s:
            urllib.request.urlopen(target.url).close()
        (profile,) = sampler.close()
        Path(f"/tmp/perf-{target.pid}.map").unlink(missing_ok=True)
    (widest, _), *_ = by_innermost(folder, profile).most_common(1)
    if named:
        assert widest == "burn (server.js:3)"
        assert profile.own == ["server.js"]
        assert sampler.notes == []
    else:
        (note,) = sampler.notes
        assert note.code == "perf-without-names"


def test_why_perf_wrote_nothing_is_noted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with subprocess.Popen(["sleep", "60"], preexec_fn=die_with_the_tests) as idle:
        sampler = PerfSampler(idle.pid, RATE_HZ, folder)
        sampler.begin_phase(0, "steady")
        time.sleep(1)
        assert sampler.close() == []
        idle.kill()
    (note,) = sampler.notes
    assert note.code == "perf-failed"
    assert list(folder.cpu.iterdir()) == []
