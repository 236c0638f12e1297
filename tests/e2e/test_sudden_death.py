"""Any process that dies during a run leaves nothing running and loses nothing that was recorded."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.children import killed_at_end, wait_until
from tests.support.command import latest_run, start, wait_until_recorded
from tests.support.in_process import Said, harness, press_ctrl_c, running_in
from tests.support.small_disk import empty, fill, small_disk
from tests.support.targets import HTTP_SERVER

SCENARIO = """
from locust import constant, task
from harness import HttpUser, steady

class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        self.client.get("/health")

phases = [steady(users=10, hold="40s")]
"""


def words(folder: Path, *more: str) -> list[str]:
    """A run on a target of its own."""
    (folder / "visit.py").write_text(SCENARIO)
    (folder / "target.py").write_text(HTTP_SERVER + "serve(sys.argv[1])\n")
    target = f"{shlex.quote(sys.executable)} target.py {{port}}"
    return ["run", "visit.py", "--target", target, "--set", "sampling.memory=false", *more]


def run(folder: Path, act: Callable[[], object], *more: str) -> Said:
    """A run in which ``act`` is called when it has recorded a little, and after which nothing of it runs."""

    def meanwhile() -> None:
        wait_until_recorded(folder, seconds=2)
        act()

    result = harness(*words(folder, "--set", "sampling.cpu=false", *more), cwd=folder, meanwhile=meanwhile)
    wait_until(lambda: not running_in(folder), what="the end of all processes")
    return result


def kill(folder: Path, module: str) -> None:
    """Kills the process of the run in ``folder`` that runs ``python -m module``, or that script."""
    (found,) = running_in(folder, module)
    found.kill()


@pytest.mark.slow
def test_a_killed_controller_leaves_nothing_running_and_its_run_readable(tmp_path: Path) -> None:
    with killed_at_end(start(*words(tmp_path, "--set", "sampling.cpu.rate_hz=20"), cwd=tmp_path, group=True)):
        wait_until_recorded(tmp_path, seconds=2)
        assert len(running_in(tmp_path)) >= 5
    wait_until(lambda: not running_in(tmp_path), seconds=20, what="the end of all processes")

    folder = latest_run(tmp_path)
    judged = harness("report", folder.name, cwd=tmp_path)
    assert judged.exit_code == 0, judged.err
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["verdict"], summary["exit_code"]) == ("broken", 4)
    assert summary["totals"]["requests"] > 0
    assert harness("gate", folder.name, cwd=tmp_path).exit_code == 4


@pytest.mark.slow
def test_a_target_that_dies_breaks_the_run(tmp_path: Path) -> None:
    result = run(tmp_path, lambda: kill(tmp_path, "target.py"))
    assert result.exit_code == 4, result.err
    assert "SIGKILL" in result.err
    folder = latest_run(tmp_path)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["verdict"] == "broken"
    (end,) = summary["ends"]
    assert (end["root"], end["signal"], end["out_of_memory"], end["phase"]) == (True, "SIGKILL", False, "steady")
    assert end["rss_bytes"] > 1e6
    assert end["notice"]["text"] in summary["reasons"][0]
    assert summary["explanations"][0]["causes"][0]["kind"] == "target-died"
    assert (folder / "report.html").exists()


@pytest.mark.slow
def test_a_load_master_that_dies_breaks_the_run_and_what_it_wrote_is_kept(tmp_path: Path) -> None:
    result = run(tmp_path, lambda: kill(tmp_path, "harness.engine.master"))
    assert result.exit_code == 4, result.err
    summary = json.loads((latest_run(tmp_path) / "summary.json").read_text())
    assert summary["totals"]["requests"] > 0
    (how,) = [notice["params"]["how"] for notice in summary["notices"] if notice["code"] == "master-ended"]
    assert (how["code"], how["params"]) == ("process-killed", {"signal": "SIGKILL"})


@pytest.mark.slow
def test_a_second_ctrl_c_cuts_requests_off(tmp_path: Path) -> None:
    def press_twice() -> None:
        press_ctrl_c()
        time.sleep(0.3)
        press_ctrl_c()

    result = run(tmp_path, press_twice, "--set", "stop_timeout=30s")
    assert result.exit_code == 130, result.err
    assert (latest_run(tmp_path) / "report.html").exists()


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_one_message(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "16m") as small:
        result = run(tmp_path, lambda: fill(small), "--out", str(small))
        assert result.exit_code in (2, 4), result.err
        (folder,) = (plan.parent for plan in small.glob("*/plan.json"))
        assert f"No space left on device: {folder}" in result.err
        empty(small)
        assert harness("report", str(folder), cwd=tmp_path).exit_code == 0
        assert json.loads((folder / "summary.json").read_text())["totals"]["requests"] > 0


def test_ctrl_c_works_while_the_load_master_imports_the_scenario(tmp_path: Path) -> None:
    slow = (
        "import sys, time\n"
        "if 'harness.engine.master' in sys.orig_argv:\n"
        "    open('importing', 'w').close()\n"
        "    time.sleep(50)\n"
    )
    pressed_s = 0.0

    def press() -> None:
        nonlocal pressed_s
        wait_until((tmp_path / "importing").exists, what="the import")
        wait_until(lambda: list(tmp_path.glob("reports/*/target.log")), what="the target's start")
        pressed_s = time.monotonic()
        press_ctrl_c()

    typed = words(tmp_path)
    (tmp_path / "visit.py").write_text(slow + SCENARIO)
    result = harness(*typed, cwd=tmp_path, meanwhile=press)
    assert time.monotonic() - pressed_s < 40  # the import takes 50 s
    assert result.exit_code == 130, result.err
    wait_until(lambda: not running_in(tmp_path), what="the end of all processes")
    assert not list(tmp_path.glob("reports/*/plan.json")), "a run that never began"
