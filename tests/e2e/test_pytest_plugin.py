"""The pytest plugin in a session of its own: the documentation's test, beside one whose load fails."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.support.children import die_with_the_tests, killed_at_end, wait_until
from tests.support.documents import python_blocks
from tests.support.lean_pytest import LEAN
from tests.support.targets import HTTP_SERVER, all_ended

pytest_plugins = ["pytester"]

SMOKE = """
gate = []

[[phase]]
kind = "ramp"       # figures of a ramp are not judged: whatever else the machine does, it passes
users = 2
duration = "{duration}"

[sampling]
cpu = false
memory = false
"""
SALE = f"""
from locust import task
from harness import HttpUser

target = "{shlex.quote(sys.executable)} target.py {{port}}"

class Someone(HttpUser):
    @task
    def look(self):
        self.client.get("/health")
"""
OVERSOLD = """
def verify(target):
    assert False, "units were sold twice"
"""
FAILING = """
def test_oversold(load_test):
    assert load_test("scenarios/oversold.py", profile="profiles/smoke.toml").verdict.passed
"""


@pytest.fixture(autouse=True)
def _own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of all loads lies there: other sessions of this machine are not to wait."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))


def folder_of_a_project(folder: Path, *, duration: str) -> None:
    """What the documentation's test needs, with a shorter ``smoke`` and a smaller sale than those of harness."""
    (folder / "pytest.ini").write_text(f"[pytest]\naddopts = --strict-markers -p no:benchmark {LEAN}\n")
    for name, text in {
        "profiles/smoke.toml": SMOKE.format(duration=duration),
        "scenarios/flash_sale.py": SALE,
        "scenarios/oversold.py": SALE + OVERSOLD,
        "target.py": HTTP_SERVER + "serve(sys.argv[1])\n",
        "test_sale.py": next(block for block in python_blocks("docs/python.md") if "def test_flash_sale" in block),
        "test_oversold.py": FAILING,
        "test_other.py": "def test_other(): pass\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.slow
def test_under_xdist_loads_follow_one_another_and_a_failure_says_why(pytester: pytest.Pytester) -> None:
    folder_of_a_project(pytester.path, duration="1s")
    result = pytester.runpytest_subprocess("-n2", "-rP", "-mperformance")
    result.assert_outcomes(passed=1, failed=1)
    summaries = [json.loads(path.read_text()) for path in sorted(pytester.path.glob("reports/*/summary.json"))]
    first, second = sorted(summaries, key=lambda summary: summary["started_at"])
    began, next_began = (datetime.fromisoformat(summary["started_at"]) for summary in (first, second))
    assert began + timedelta(seconds=first["duration_s"]) <= next_began

    result.stdout.fnmatch_lines(["waiting for another load of this user to end"])

    failed = next(summary["run_id"] for summary in summaries if summary["verdict"] == "fail")
    passed = next(summary["run_id"] for summary in summaries if summary["verdict"] == "pass")
    result.stdout.fnmatch_lines(
        [
            "E *AssertionError: fail: gate `verify` failed: * units were sold twice*",
            f"E *see more: harness gate reports/{failed}",
            f"E *report: reports/{failed}/report.html",
            "*= load tests =*",
        ]
    )
    for line in (
        f"pass: {pytester.path}/reports/{passed}/report.html",
        f"fail: {pytester.path}/reports/{failed}/report.html",
    ):
        assert result.outlines.count(line) == 1


@pytest.mark.slow
def test_ctrl_c_ends_the_load_gracefully_and_the_session(tmp_path: Path) -> None:
    folder_of_a_project(tmp_path, duration="100s")
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_sale.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_the_tests,
    )
    with killed_at_end(session):
        wait_until(lambda: any(tmp_path.glob("reports/*/journal")), what="the load")
        started = [child.pid for child in psutil.Process(session.pid).children(recursive=True)]
        session.send_signal(signal.SIGINT)
        out, _ = session.communicate(timeout=60)
    (path,) = tmp_path.glob("reports/*/summary.json")
    assert json.loads(path.read_text())["exit_code"] == 130
    assert session.returncode == pytest.ExitCode.INTERRUPTED, out
    assert f"inconclusive: {path.parent}/report.html" in out
    assert started
    assert all_ended(started)
