"""A scenario that does not read Locust's statistics does not pay for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, put_load

SCENARIO = """
from locust import events, task
from harness import HttpUser


class Getter(HttpUser):
    @task
    def get(self):
        self.client.get("/")


@events.test_start.add_listener
def tell(environment, **_):
    print("listeners of requests:", len(environment.events.request._handlers), flush=True)
"""


@pytest.mark.slow
def test_only_the_recorder_listens(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.py"
    scenario.write_text(SCENARIO)
    with CountingServer().running() as server:
        put_load(plan_of(scenario, [phase((1, 1, 0.5))]), server.url, tmp_path)
    # Of the master, which has none, and of the worker.
    reported = [line for line in (tmp_path / "run" / "harness.log").read_text().splitlines() if "listeners of" in line]
    assert sorted(reported) == ["listeners of requests: 0", "listeners of requests: 1"]
