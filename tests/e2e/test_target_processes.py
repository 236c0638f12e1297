"""What happens in one of several processes of a target that is not the shop stands in the result, from end to end."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.support.command import latest_run
from tests.support.in_process import harness
from tests.support.targets import nginx_target

APP = """
import os
from fastapi import FastAPI

app = FastAPI()
kept = []
try:
    os.close(os.open(os.environ["FIRST"], os.O_CREAT | os.O_EXCL))
    leaks = True
except FileExistsError:
    leaks = False

def cache_everything():
    kept.append(bytearray(20_000))

@app.get("/health")
def health():
    return {}

@app.get("/item")
async def item():
    if leaks:
        cache_everything()
    return {}
"""
SCENARIO = """
from locust import constant, task
from harness import HttpUser, steady

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/item")

phases = [steady(users=20, hold="HOLD")]
"""


def scenario(folder: Path, hold: str) -> str:
    (folder / "visit.py").write_text(SCENARIO.replace("HOLD", hold))
    return "visit.py"


def test_a_leak_in_one_of_two_workers_names_the_worker_and_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app.py").write_text(APP)
    monkeypatch.setenv("FIRST", str(tmp_path / "first"))
    target = f"{shlex.quote(sys.executable)} -m uvicorn app:app --port {{port}} --workers 2 --log-level warning"
    words = ("--target", target, "--set", "sampling.memory.duration=4s", "--set", "sampling.cpu=false", "--json")
    summary = harness("run", scenario(tmp_path, "14s"), *words, cwd=tmp_path).json
    (leak,) = summary["leaks"]
    (pid,) = leak["pids"]
    assert leak["processes"] >= 2
    assert leak["low"] <= leak["slope"] <= leak["high"]
    assert (leak["function"], leak["file"], leak["line"]) == ("cache_everything", "app.py", 14)
    assert leak["kept_share"] > 0.5
    assert leak["notice"]["params"]["pid"] == pid
    assert leak["notice"]["text"] in (latest_run(tmp_path) / "summary.md").read_text().replace("\\", "")
    assert summary["ends"] == []


def test_a_target_without_python_has_no_pass_in_which_nothing_is_recorded(tmp_path: Path) -> None:
    words = ("--target", nginx_target(tmp_path).command, "--set", "sampling.memory.duration=30s", "--json")
    summary = harness("run", scenario(tmp_path, "2s"), *words, cwd=tmp_path).json
    assert [phase["name"] for phase in summary["phases"]] == ["steady"]
    assert summary["duration_s"] < 15
    codes = [notice["code"] for notice in summary["notices"]]
    assert len({"target-not-python", "target-seen-by-perf"} & {*codes}) == 1
    assert not any(code.startswith("memory-") for code in codes)
