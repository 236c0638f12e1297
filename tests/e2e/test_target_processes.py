"""The result shows what happens in one of several processes of a target other than the shop."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.support.command import latest_run
from tests.support.in_process import harness
from tests.support.targets import nginx_target

APP = """
import subprocess, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, *WORKER = sys.argv[1:]
kept = []

def cache_everything():
    kept.append(bytearray(60_000))

class Server(ThreadingHTTPServer):
    allow_reuse_port = True

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if WORKER == ["1"] and self.path == "/item":
            cache_everything()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

if WORKER:
    Server(("127.0.0.1", int(PORT)), Handler).serve_forever()
else:
    for child in [subprocess.Popen([sys.executable, __file__, PORT, number]) for number in "12"]:
        child.wait()
"""
SCENARIO = """
from locust import constant, task
from harness import HttpUser, steady

class Visitor(HttpUser):
    wait_time = constant(0.2)

    @task
    def visit(self):
        self.client.get("/item")

phases = [steady(users=20, hold="HOLD")]  # the kernel gives each worker some of their connections
"""


def scenario(folder: Path, hold: str) -> str:
    (folder / "visit.py").write_text(SCENARIO.replace("HOLD", hold))
    return "visit.py"


@pytest.mark.slow
def test_a_leak_in_one_of_two_workers_names_the_worker_and_the_line(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    target = f"{shlex.quote(sys.executable)} app.py {{port}}"
    words = ("--target", target, "--set", "sampling.memory.duration=2s", "--set", "sampling.cpu=false", "--json")
    summary = harness("run", scenario(tmp_path, "16s"), *words, cwd=tmp_path).json
    (leak,) = summary["leaks"]
    (pid,) = leak["pids"]
    assert leak["processes"] >= 2
    assert leak["low"] <= leak["slope"] <= leak["high"]
    assert (leak["function"], leak["file"], leak["line"]) == ("cache_everything", "app.py", 9)
    assert leak["kept_share"] > 0.5
    assert leak["notice"]["params"]["pid"] == pid
    assert leak["notice"]["text"] in (latest_run(tmp_path) / "summary.md").read_text().replace("\\", "")
    assert summary["ends"] == []


@pytest.mark.slow
def test_a_target_without_python_has_no_pass_in_which_nothing_is_recorded(tmp_path: Path) -> None:
    words = ("--target", nginx_target(tmp_path).command, "--set", "sampling.memory.duration=30s", "--json")
    summary = harness("run", scenario(tmp_path, "2s"), *words, cwd=tmp_path).json
    assert [phase["name"] for phase in summary["phases"]] == ["steady"]
    assert summary["duration_s"] < 30
    codes = [notice["code"] for notice in summary["notices"]]
    assert len({"target-not-python", "target-seen-by-perf"} & {*codes}) == 1
    assert not any(code.startswith("memory-") for code in codes)
