"""Standard streams that are closed, full or read by nobody change nothing of what a command answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.children import die_with_the_tests
from tests.support.command import latest_run
from tests.support.counting_server import CountingServer
from tests.support.streams import stream_that_takes_nothing

SCENARIO = """
from locust import constant, task
from harness import HttpUser, ramp

class Getter(HttpUser):
    wait_time = constant(0.05)

    @task
    def get(self):
        self.client.get("/")

phases = [ramp(users=3, over="1s")]  # not judged: it passes whatever else the machine does
"""
HARNESS = f"{sys.executable} -m harness"


def shell(command: str, folder: Path) -> int:
    """Exit code of ``harness`` in a shell command; PIPESTATUS is that of the first in a pipe."""
    script = f"{HARNESS} {command}; exit ${{PIPESTATUS[0]}}"
    return subprocess.run(["bash", "-c", script], cwd=folder, check=False, timeout=60, env=os.environ).returncode


@pytest.mark.slow
@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full", ">/dev/full 2>&1"])
def test_wrong_input_is_exit_code_2_wherever_the_message_goes(streams: str, tmp_path: Path) -> None:
    assert shell(f"gate nowhere {streams}", tmp_path) == 2
    assert shell(f"--version {streams.replace('/dev/full', '/dev/null')}", tmp_path) == 0


def test_json_without_a_reader_does_not_fail_a_gate(tmp_path: Path) -> None:
    assert shell("doctor --json | true", tmp_path) == 4


@pytest.mark.parametrize("command", ["--help", "--version", "run --help"])
def test_output_without_a_reader_does_not_fail_a_gate(command: str, tmp_path: Path) -> None:
    with stream_that_takes_nothing("closed pipe") as output:
        printed = subprocess.run(
            [sys.executable, "-m", "harness", *command.split()],
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (printed.returncode, printed.stderr) == (4, b"")


def test_a_table_without_a_reader_changes_no_exit_code(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    with stream_that_takes_nothing("closed pipe") as log:
        listed = subprocess.run(
            [sys.executable, "-m", "harness", "runs"], cwd=tmp_path, stderr=log, check=False, timeout=60
        )
    assert listed.returncode == 0


def test_a_full_disk_for_the_output_does_not_fail_a_gate(tmp_path: Path) -> None:
    assert shell("doctor --json >/dev/full", tmp_path) == 4


@pytest.mark.slow
def test_a_run_whose_log_cannot_be_written_is_judged_and_reported(tmp_path: Path) -> None:
    (tmp_path / "getter.py").write_text(SCENARIO)
    with stream_that_takes_nothing("closed pipe") as log, CountingServer().running() as server:
        ran = subprocess.run(
            [sys.executable, "-m", "harness", "run", "getter.py", "--json", "--host", server.url],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            check=False,
            timeout=100,
            preexec_fn=die_with_the_tests,
        )
    assert json.loads(ran.stdout)["verdict"] == "pass"
    assert ran.returncode == 0
    assert (latest_run(tmp_path) / "report.html").exists()
