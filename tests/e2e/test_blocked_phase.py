"""A target that stops to respond before a phase cannot pass it by having had no request in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

import harness
from tests.support.fork_servers import borrowing

SCENARIO = """
from locust import constant, task
from harness import HttpUser

class Visitor(HttpUser):
    wait_time = constant(0)

    @task
    def look(self):
        self.client.get("/")
"""


class Silent(BaseHTTPRequestHandler):
    """Responds for half a second after the first request, and to nothing that comes later."""

    began_s: float | None = None

    def do_GET(self) -> None:
        cls = type(self)
        cls.began_s = cls.began_s or time.monotonic()
        if time.monotonic() - cls.began_s > 0.5:
            time.sleep(30)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def blocked(target: str, tmp_path_factory: pytest.TempPathFactory) -> harness.Run:
    """Three users, who wait for their first responses in the whole phase ``steady``."""
    folder = tmp_path_factory.mktemp("blocked")
    scenario = folder / "visitors.py"
    scenario.write_text(SCENARIO)
    with borrowing():
        return harness.run(
            scenario,
            host=target,
            phases=[harness.ramp(users=3, over="3s"), harness.steady(users=3, hold="2s")],
            out=folder / "runs",
            set={"stop_timeout": "1s", "sampling.memory": False},
        )


@pytest.mark.slow
def test_a_run_without_gates_does_not_pass(blocked: harness.Run) -> None:
    assert blocked.phase("steady").requests == 0
    assert blocked.summary.verdict == "inconclusive"


@pytest.mark.slow
def test_users_that_wait_all_the_time_fail_the_phase(blocked: harness.Run) -> None:
    required = ["p95 < 500ms", "throughput >= 1/s", "error_rate < 1%", "p95 <= baseline + 10%"]
    judged = blocked.judge(required).summary
    assert [(gate.status, gate.code) for gate in judged.gates] == [
        ("fail", "gate-blocked"),
        ("fail", "gate-blocked"),
        ("inconclusive", "gate-blocked"),
        ("inconclusive", "gate-blocked"),
    ]
    assert judged.gates[0].params["count"] == 3
