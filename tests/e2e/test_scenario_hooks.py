"""A run with ``setup``, ``verify`` and ``teardown``, on a target that is not the shop."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.children import wait_until
from tests.support.command import latest_run
from tests.support.counting_server import CountingServer
from tests.support.in_process import Said, harness, press_ctrl_c
from tests.support.targets import all_ended

USERS = """
from locust import constant, task
import harness
from harness import HttpUser, gate, steady

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/" + harness.setup_data()["token"])

phases = [steady(users=2, hold="1s")]

def teardown(target):
    assert harness.setup_data() in (None, {"token": "abc"})
    target.delete("/made")
"""
SETUP = """
def setup(target):
    target.post("/made")
    print("made one, password=hunter2")
    return {"token": "abc"}
"""
VERIFY = """
gates = [gate("lost_writes = 0"), gate('verify("late writes") <= 2')]

def verify(target):
    target.get("/ledger")
    yield "no oversell", True
    yield "lost_writes", LOST
    yield "late writes", 2
"""


def run(folder: Path, server: CountingServer, text: str, *more: str) -> Said:
    (folder / "sale.py").write_text(text)
    return harness("run", "sale.py", "--host", server.url, "--workers", "1", "--json", *more, cwd=folder)


HELPED = """
import os, pathlib, subprocess, sys

def setup(target):
    target.post("/made")
    print("made one, password=hunter2")
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    return {"token": "abc", "pid": helper.pid}

def teardown(target):
    pid = harness.setup_data()["pid"]
    assert pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()  # a zombie has none
    pathlib.Path("helper").write_text(str(pid))
    target.delete("/made")
"""
NOT_VOID = 'gates.append(gate("error_rate < 90%"))\n'
"""A gate that holds on a busy machine, too. A run in which no gate reads a phase is void if the generator was slow."""


@pytest.mark.slow
def test_hooks_run_around_the_load_and_their_requests_do_not_count(server: CountingServer, tmp_path: Path) -> None:
    result = run(tmp_path, server, USERS.partition("def teardown")[0] + HELPED + VERIFY.replace("LOST", "3") + NOT_VOID)
    assert result.exit_code == 1, result.err
    summary = result.json
    assert summary["totals"]["requests"] == server.served["GET /abc"] > 0
    assert summary["totals"]["failures"] == 0
    others = {name: count for name, count in server.served.items() if name != "GET /abc"}
    assert others == {"POST /made": 1, "GET /ledger": 1, "DELETE /made": 1}
    found = [(gate["require"], gate["status"], gate["observed"], gate["phase"]) for gate in summary["gates"]]
    assert found == [
        ("lost_writes = 0", "fail", 3.0, None),
        ('verify("late writes") <= 2', "pass", 2.0, None),
        ("error_rate < 90%", "pass", 0.0, "steady"),
        ('verify("no oversell")', "pass", None, None),
    ]
    assert summary["figures"] == {"lost_writes": 3.0, "late writes": 2.0}
    assert {explanation["metric"] for explanation in summary["explanations"]} == {'verify("lost_writes")'}
    printed = [line for line in (latest_run(tmp_path) / "harness.log").read_text().splitlines() if "made one" in line]
    assert len(printed) == 1
    assert "setup INFO" in printed[0]
    assert "hunter2" not in printed[0]
    # What setup has started lives until teardown has ended.
    assert "teardown-failed" not in [notice["code"] for notice in summary["notices"]]
    assert all_ended([int((tmp_path / "helper").read_text())])
    again = harness("gate", latest_run(tmp_path), "--json", cwd=tmp_path)
    assert (again.exit_code, again.json["gates"][0]["code"]) == (1, "gate-figure-broken")


FAILING = """
def setup(target):
    target.post("/made")
    raise ValueError("no room")
"""
HANGING = """
def setup(target):
    target.post("/made")
    import time; time.sleep(100)
"""
ENDING = """
def setup(target):
    target.post("/made")
    import os; os._exit(3)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setup", "code", "line"),
    [(FAILING, "setup-raised", ":21"), (HANGING, "setup-timeout", ""), (ENDING, "setup-failed", "")],
)
def test_a_setup_that_fails_stops_before_the_load_and_is_torn_down(
    server: CountingServer, tmp_path: Path, setup: str, code: str, line: str
) -> None:
    limit = "10s" if setup == HANGING else "60s"  # for all of its hooks: teardown has to end in time
    result = run(tmp_path, server, USERS + setup, "--set", f"hook_timeout={limit}")
    assert (result.exit_code, result.code) == (4, code), result.err
    assert result.error is not None
    assert result.error.where == f"{tmp_path / 'sale.py'}{line}"
    assert (server.served["POST /made"], server.served["DELETE /made"], server.served["GET /abc"]) == (1, 1, 0)


@pytest.mark.slow
def test_a_teardown_that_fails_is_a_warning_and_no_verdict(server: CountingServer, tmp_path: Path) -> None:
    text = USERS.replace('target.delete("/made")', "raise ValueError(1)")
    result = run(tmp_path, server, text + SETUP + VERIFY.replace("LOST", "0") + NOT_VOID)
    assert result.exit_code == 0, result.err
    (notice,) = [each for each in result.json["notices"] if each["code"] == "teardown-failed"]
    assert notice["params"]["reason"]["params"]["location"] == f"{tmp_path / 'sale.py'}:17"


def interrupted(folder: Path, server: CountingServer, text: str, during: str) -> Said:
    """A run that is interrupted when the first request ``during`` has arrived."""
    (folder / "sale.py").write_text(text)

    def press() -> None:
        wait_until(lambda: server.served[during] > 0, what=during)
        press_ctrl_c()

    return harness("run", "sale.py", "--host", server.url, "--workers", "1", cwd=folder, meanwhile=press)


def test_an_interrupted_run_is_torn_down(server: CountingServer, tmp_path: Path) -> None:
    text = USERS.replace("1s", "60s") + SETUP + VERIFY.replace("LOST", "0")
    assert interrupted(tmp_path, server, text, "GET /abc").exit_code == 130
    assert (server.served["DELETE /made"], server.served["POST /made"]) == (1, 1)


def test_a_setup_that_is_interrupted_is_torn_down_without_load(server: CountingServer, tmp_path: Path) -> None:
    assert interrupted(tmp_path, server, USERS + HANGING, "POST /made").exit_code == 130
    assert server.served["DELETE /made"] == 1
    assert not [name for name in server.served if name == "GET /abc"]


DYING = """
import http.server, os, sys, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/abc":
            threading.Timer(0.5, os._exit, [3]).start()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.mark.slow
def test_what_was_made_outside_a_target_that_dies_is_torn_down(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(DYING)
    torn = "import pathlib; pathlib.Path('torn-down').write_text(harness.setup_data()['token'])"
    text = USERS.replace('target.delete("/made")', torn).replace('hold="1s"', 'hold="20s"')
    (tmp_path / "sale.py").write_text(text + "\ndef setup(target):\n    return {'token': 'abc'}\n")
    result = harness("run", "sale.py", "--target", f"{sys.executable} app.py {{port}}", "--ready", "/", "--json",
                     "--set", "sampling.cpu=false", "--set", "sampling.memory=false", cwd=tmp_path)  # fmt: skip
    assert result.exit_code == 4, result.err
    assert (tmp_path / "torn-down").read_text() == "abc"
    assert json.loads((latest_run(tmp_path) / "plan.json").read_text())["scenario"]["has_teardown"] is True


def test_what_ends_a_run_before_setup_tears_nothing_down(server: CountingServer, tmp_path: Path) -> None:
    profile = '[[phase]]\nkind = "steady"\nusers = 1\nduration = "1s"\n[[fault]]\nkind = "process"\naction = "kill"\n'
    (tmp_path / "faulty.toml").write_text(profile + 'of = "no-such-program"\n')
    result = run(tmp_path, server, USERS + SETUP, "--profile", "faulty.toml")
    assert (result.exit_code, result.code) == (2, "fault-process-not-found"), result.err
    assert server.served["DELETE /made"] == 0
