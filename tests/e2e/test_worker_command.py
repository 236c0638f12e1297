"""``harness worker``: the accepted get what the run needs, the rejected the reason; both leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import in_process
from tests.support.children import free_port
from tests.support.command import Result, finish, harness, start
from tests.support.counting_server import CountingServer

SECRET = "a secret of this test alone"
SCENARIO = """
from pathlib import Path

import vendor
from locust import constant, task

from harness import HttpUser, steady
from steps import browse

NAMES = Path(__file__).with_name("names.txt").read_text().split()

class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        browse(self.client, NAMES)

phases = [steady(users=4, hold="1s")]
"""


@pytest.mark.slow
def test_a_worker_joins_with_what_the_master_sends_and_others_are_rejected_with_a_reason(
    server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, vendor = tmp_path / "here", tmp_path / "there", tmp_path / "vendor"
    for folder in (here, there, vendor):
        folder.mkdir()
    (vendor / "vendor.py").write_text("")  # what a package that is installed is to a scenario
    (here / "scenario.py").write_text(SCENARIO)
    (here / "steps.py").write_text("def browse(client, names):\n    client.get('/' + names[0])\n")
    (here / "names.txt").write_text("ann bob")
    installed = {"PYTHONPATH": os.pathsep.join([str(vendor), *filter(None, [os.environ.get("PYTHONPATH")])])}
    secret = {"HARNESS_SECRET": SECRET}
    temporary = {"TMPDIR": str(there)}
    address = f"127.0.0.1:{free_port()}"

    def work(*more: str, env: dict[str, str]) -> subprocess.Popen[str]:
        return start("worker", "--master", address, *more, cwd=there, env=temporary | env)

    waiting = work(env=secret)  # before there is a master
    assert waiting.stderr is not None
    assert address in waiting.stderr.readline()
    ended: list[Result] = []

    def join() -> None:
        ended.append(finish(waiting))
        ended.append(harness("worker", "--master", address, cwd=there, env={"HARNESS_SECRET": "another secret"}))
        ended.append(finish(work("--workers", "2", env=secret | installed)))

    for name, value in (secret | installed).items():
        monkeypatch.setenv(name, value)
    bind = ["--bind", address, "--expect-workers", "2"]
    result = in_process.harness("run", "scenario.py", "--host", server.url, *bind, "--json", cwd=here, meanwhile=join)

    missing, stranger, joined = ended
    assert missing.code == 2
    assert "scenario.py:4: " in missing.err
    assert "No module named 'vendor'" in missing.err  # Python's words
    assert (stranger.code, "HARNESS_SECRET" in stranger.err) == (2, True), stranger
    assert joined.code == 0, joined
    assert "No module named 'vendor'" in result.err
    assert "2 of 2" in result.err
    assert result.json["totals"]["requests"] == server.served["GET /ann"] > 0
    assert not list(there.glob("harness-worker-*"))


def test_a_missing_secret_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_SECRET", raising=False)
    nothing = in_process.harness("worker", "--master", "127.0.0.1", cwd=tmp_path)
    assert (nothing.exit_code, "HARNESS_SECRET" in nothing.err) == (2, True), nothing


@pytest.mark.slow
def test_a_worker_that_waits_in_vain_can_be_interrupted(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    waiting = start("worker", "--master", address, cwd=tmp_path, env={"HARNESS_SECRET": SECRET})
    assert waiting.stderr is not None
    assert address in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    assert finish(waiting).code == 130


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, b"SSH-2.0-OpenSSH_9.6\r\n", b""])
def test_a_worker_does_not_wait_for_a_program_that_is_not_a_master(
    tmp_path: Path, greeting: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_SECRET", SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(greeting)

        greeting_all = threading.Thread(target=greet, daemon=True)
        greeting_all.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        refused = in_process.harness("worker", "--master", address, cwd=tmp_path)
        assert (refused.exit_code, address in refused.err) == (2, True), refused
        listener.shutdown(socket.SHUT_RDWR)
        greeting_all.join(10)
