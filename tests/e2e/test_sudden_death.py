"""Whatever dies in the middle of a run: nothing is left running, nothing that was recorded is lost."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.record.journal import Journal, JournalFollower
from tests.support import in_process
from tests.support.children import wait_until
from tests.support.command import REPOSITORY, finish, harness, latest_run, start
from tests.support.targets import HTTP_SERVER

FLASH_SALE = REPOSITORY / "scenarios" / "flash_sale.py"
SCENARIO = """
from locust import constant, task
from harness import HttpUser, steady

class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        self.client.get("/health")

phases = [steady(users=20, hold="40s")]
"""
SAMPLED = ("--set", "sampling.cpu.rate_hz=20")
NOT_SAMPLED = ("--set", "sampling.cpu=false")


def started(cwd: Path, *more: str) -> tuple[subprocess.Popen[str], Path]:
    """A run on a target of its own that has recorded three seconds, and its folder."""
    (cwd / "visit.py").write_text(SCENARIO)
    (cwd / "target.py").write_text(HTTP_SERVER + "serve(sys.argv[1])\n")
    target = f"{shlex.quote(sys.executable)} target.py {{port}}"
    options = ("--target", target, "--set", "sampling.memory=false", *more)
    process = start("run", "visit.py", *options, cwd=cwd, group=True)
    wait_until(lambda: list(cwd.glob("reports/*/journal")), seconds=60, what="the load's begin")
    folder = latest_run(cwd)
    follower = JournalFollower(folder / "journal")

    def seconds() -> Journal | None:
        follower.poll()
        return follower.journal if len(follower.journal.seconds) >= 3 else None

    wait_until(seconds, seconds=30, what="the third second")
    return process, folder


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def by_module(processes: list[psutil.Process], module: str) -> psutil.Process:
    """The process that runs ``python -m module``, or that script."""
    alive = [process for process in processes if process.status() != psutil.STATUS_ZOMBIE]
    (found,) = [process for process in alive if module in process.cmdline()]
    return found


def all_gone(processes: list[psutil.Process]) -> Callable[[], bool]:
    return lambda: not any(map(_still_runs, processes))


def _still_runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return False


def test_a_killed_controller_leaves_nothing_running_and_its_run_readable(tmp_path: Path) -> None:
    process, folder = started(tmp_path, *SAMPLED)
    others = descendants(process.pid)
    assert len(others) >= 4, others
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(all_gone(others), seconds=20, what="the end of all processes")

    judged = in_process.harness("report", folder.name, cwd=tmp_path)
    assert judged.exit_code == 0, judged.err
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["verdict"], summary["exit_code"]) == ("broken", 4)
    assert summary["totals"]["requests"] > 50
    assert in_process.harness("gate", folder.name, cwd=tmp_path).exit_code == 4


def test_a_target_that_dies_breaks_the_run(tmp_path: Path) -> None:
    process, folder = started(tmp_path, *NOT_SAMPLED)
    others = descendants(process.pid)
    by_module(others, "target.py").kill()
    result = finish(process)
    assert result.code == 4, result.err
    assert "SIGKILL" in result.err
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["verdict"] == "broken"
    (end,) = summary["ends"]
    assert (end["root"], end["signal"], end["out_of_memory"], end["phase"]) == (True, "SIGKILL", False, "steady")
    assert end["rss_bytes"] > 1e6
    assert end["notice"]["text"] in summary["reasons"][0]
    assert summary["explanations"][0]["causes"][0]["kind"] == "target-died"
    assert (folder / "report.html").exists()
    assert all_gone(others)()


def test_a_load_master_that_dies_breaks_the_run_and_what_it_wrote_is_kept(tmp_path: Path) -> None:
    process, folder = started(tmp_path, *NOT_SAMPLED)
    others = descendants(process.pid)
    by_module(others, "harness.engine.master").kill()
    result = finish(process)
    assert result.code == 4, result.err
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["totals"]["requests"] > 50
    (how,) = [notice["params"]["how"] for notice in summary["notices"] if notice["code"] == "master-ended"]
    assert (how["code"], how["params"]) == ("process-killed", {"signal": "SIGKILL"})
    wait_until(all_gone(others), what="the end of all processes")


def test_a_second_ctrl_c_cuts_requests_off(tmp_path: Path) -> None:
    process, folder = started(tmp_path, *NOT_SAMPLED, "--set", "stop_timeout=30s")
    others = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.code == 130, result.err
    assert (folder / "report.html").exists()
    wait_until(all_gone(others), what="the end of all processes")


def test_a_full_disk_ends_the_run_with_one_message(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        short = ("--profile", "smoke", "--set", "phase.ramp.duration=1s", "--set", "phase.steady.duration=3s")
        result = harness("run", FLASH_SALE, *short, "--out", str(small), cwd=tmp_path)
        assert result.code in (2, 4), result.err
        assert "No space left" in result.err
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        (folder,) = (plan.parent for plan in small.glob("*/plan.json"))
        assert in_process.harness("report", str(folder), cwd=tmp_path).exit_code == 0
        assert json.loads((folder / "summary.json").read_text())["totals"]["requests"] > 50
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_ctrl_c_is_heard_while_the_load_master_imports_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import sys, time\n"
        "from locust import HttpUser, task\n"
        "if 'harness.engine.master' in sys.orig_argv:\n"
        "    open('importing', 'w').close()\n"
        "    time.sleep(50)\n"
        "class Visitor(HttpUser):\n"
        "    @task\n"
        "    def visit(self):\n"
        "        self.client.get('/health')\n"
    )
    (tmp_path / "target.py").write_text(HTTP_SERVER + "serve(sys.argv[1])\n")
    process = start("run", "slow.py", "--target", f"{sys.executable} target.py {{port}}", cwd=tmp_path, group=True)
    wait_until((tmp_path / "importing").exists, seconds=60, what="the import")
    wait_until(lambda: list(tmp_path.glob("reports/*/target.log")), seconds=60, what="the target's start")
    others = descendants(process.pid)
    pressed_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert time.monotonic() - pressed_s < 15
    assert result.code == 130, result.err
    wait_until(all_gone(others), what="the end of all processes")
    assert not list(tmp_path.glob("reports/*/plan.json")), "a run that never began"
