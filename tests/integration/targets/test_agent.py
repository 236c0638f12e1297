"""The memory agent gets into a target's Python processes without harm to them, and turns memray on and off."""

from __future__ import annotations

import os
import socket
import urllib.request
from pathlib import Path

import memray
import psutil
import pytest

from harness.targets.agent_client import Agent, AgentError, agents_in
from harness.targets.start import start_target
from tests.support.children import wait_until
from tests.support.targets import run_folder, script_target

HOARD = """
KEPT = []
def hoard():
    KEPT.append(bytearray(100_000))
def do_GET(self):
    if self.path == "/hoard":
        hoard()
    self.send_response(200)
    self.end_headers()
Handler.do_GET = do_GET
"""


def test_a_trace_holds_what_the_target_allocated_meanwhile(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, HOARD + "serve(sys.argv[1])"), run_folder(tmp_path)) as target:
        (agent,) = target.agents()
        assert agent.pid == target.pid
        urllib.request.urlopen(f"{target.url}/hoard").close()
        agent.start(tmp_path / "trace.bin")
        for _ in range(7):
            urllib.request.urlopen(f"{target.url}/hoard").close()
        agent.stop()
        urllib.request.urlopen(f"{target.url}/hoard").close()
    leaked = memray.FileReader(tmp_path / "trace.bin").get_leaked_allocation_records(merge_threads=True)
    by_hoard = [record.size for record in leaked if record.stack_trace() and record.stack_trace()[0][0] == "hoard"]
    assert 700_000 <= sum(by_hoard) < 800_000


def test_an_error_of_the_agent_is_reported_and_the_target_continues(tmp_path: Path) -> None:
    code = "sys.modules['memray'] = None\nserve(sys.argv[1])"  # what an environment without memray comes down to
    with start_target(script_target(tmp_path, code), run_folder(tmp_path)) as target:
        (agent,) = target.agents()
        with pytest.raises(AgentError, match="has no memray: pip install memray"):
            agent.start(tmp_path / "trace.bin")
        with pytest.raises(AgentError, match="no trace was started"):
            agent.stop()
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(agent.address))
            rude.sendall(b"what?\n")
            assert rude.recv(100) == b""
        with pytest.raises(AgentError, match="no trace was started"):
            agent.stop()
        assert urllib.request.urlopen(f"{target.url}/health").status == 200
    with pytest.raises(AgentError, match="does not respond"):
        agent.stop()
    assert target.agents() == []


def test_a_trace_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path)) as target:
        with pytest.raises(AgentError, match="No such file"):
            target.agents()[0].start(tmp_path / "missing" / "trace.bin")
        assert target.is_alive()


def test_forked_and_spawned_processes_have_agents_of_their_own(tmp_path: Path) -> None:
    code = """
import subprocess, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
if os.fork() == 0:
    time.sleep(300)
serve(sys.argv[1])
"""
    with start_target(script_target(tmp_path, code), run_folder(tmp_path)) as target:
        assert target.pid is not None
        children = [child.pid for child in psutil.Process(target.pid).children()]
        expected = sorted([target.pid, *children])
        wait_until(lambda: sorted(agent.pid for agent in target.agents()) == expected)
        assert len(expected) == 3


def test_the_targets_own_path_and_sitecustomize_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys; sys.own_was_here = True")
    (own / "its_module.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(own))
    code = """
import its_module, sitecustomize
print(sys.own_was_here, [entry for entry in sys.path if "agent" in entry], sitecustomize.__file__, flush=True)
serve(sys.argv[1])
"""
    folder = run_folder(tmp_path)
    with start_target(script_target(tmp_path, code), folder) as target:
        assert len(target.agents()) == 1
    assert folder.target_log.read_text() == f"True [] {own / 'sitecustomize.py'}\n"


@pytest.mark.parametrize("options", ["-I", "-S"])
def test_a_python_that_does_not_load_the_agent_still_runs(tmp_path: Path, options: str) -> None:
    with start_target(script_target(tmp_path, "serve(sys.argv[1])", options=options), run_folder(tmp_path)) as target:
        assert target.is_alive()
        assert target.agents() == []


def test_without_the_agent_nothing_is_put_into_the_target(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    code = "print(os.environ.get('HARNESS_AGENT_FOLDER'), flush=True)\nserve(sys.argv[1])"
    with start_target(script_target(tmp_path, code), folder, agent=False) as target:
        assert target.agents() == []
    assert folder.target_log.read_text() == "None\n"


def test_a_long_temporary_folder_does_not_break_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path)) as target:
        assert len(target.agents()) == 1


def test_agents_of_ended_processes_are_left_out(tmp_path: Path) -> None:
    for name in (str(os.getpid()), "4194999", "other"):  # beyond the highest process number
        (tmp_path / f"{name}.sock").touch()
    assert agents_in(tmp_path) == [Agent(os.getpid(), tmp_path / f"{os.getpid()}.sock")]
