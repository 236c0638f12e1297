"""What ``pip install harness`` gives runs without the clone: nothing that it needs lies outside of the wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.children import die_with_the_tests
from tests.support.command import LONGEST_S, REPOSITORY
from tests.support.counting_server import CountingServer
from tests.support.lean_pytest import LEAN

SCENARIO = """
from locust import constant, task
from harness import HttpUser

class Someone(HttpUser):
    wait_time = constant(0.1)

    @task
    def look(self):
        self.client.get("/")
"""


def do(*command: str | Path, cwd: Path, accept: tuple[int, ...] = (0,)) -> str:
    settings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=settings,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
        preexec_fn=die_with_the_tests,
    )
    assert done.returncode in accept, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_installed_wheel_runs_a_scenario_under_a_shipped_profile(tmp_path: Path) -> None:
    uv = shutil.which("uv")
    assert uv is not None, "uv is not on PATH: pip install uv"
    # Beside the wheel only what it depends on, and nothing of the clone: a path file's own path files are not read.
    do(uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, REPOSITORY, cwd=tmp_path)
    do(uv, "venv", "--quiet", "--python", sys.executable, "venv", cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    do(
        uv,
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        "venv",
        wheel,
        cwd=tmp_path,
    )
    (packages,) = tmp_path.glob("venv/lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    fixtures = ("-m", "pytest", "--fixtures", "-q", *LEAN.split())
    assert "load_test" in do(tmp_path / "venv/bin/python", *fixtures, cwd=tmp_path, accept=(0, 5))
    assert (packages / "harness" / "py.typed").is_file()

    (tmp_path / "someone.py").write_text(SCENARIO)
    short = ("--set", "phase.ramp.duration=1s", "--set", "phase.steady.duration=1s", "--set", "phase.steady.users=5")
    with CountingServer().running() as server:
        run = ("run", "someone.py", "--profile", "smoke", "--host", server.url, "--json", *short)
        summary = json.loads(do(tmp_path / "venv/bin/harness", *run, cwd=tmp_path, accept=(0, 1, 3, 4)))
    assert summary["profile"] == "smoke"
    assert summary["totals"]["requests"] == server.served["GET /"] > 0
    (report,) = tmp_path.glob("reports/*/report.html")
    assert "plotly" in report.read_text()
