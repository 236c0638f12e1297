"""A rate limit holds for every HTTP client and all workers together, and waiting for it is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.plan.model.target import AllowedHost
from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, put_load, requests_by_endpoint, scenario

SCENARIO = """
from locust import FastHttpUser, HttpUser as RequestsUser, constant, task
from harness import HttpUser


class Ours(HttpUser):
    wait_time = constant(0)

    @task
    def get(self):
        self.client.get("/ours")


class Fast(FastHttpUser):
    wait_time = constant(0)

    @task
    def get(self):
        self.client.get("/fast")


class Requests(RequestsUser):
    wait_time = constant(0)

    @task
    def get(self):
        self.client.get("/requests")
"""


@pytest.mark.slow
def test_no_client_exceeds_it_and_waiting_requests_are_counted(tmp_path: Path) -> None:
    plan = plan_of(scenario(tmp_path, SCENARIO), [phase((6, 6, 2))], workers=2).model_copy(
        update={"allowed_hosts": (AllowedHost(host="localhost", max_rate=21),)}
    )
    with CountingServer().running() as server:
        journal = put_load(plan, server.url, tmp_path)
    assert set(requests_by_endpoint(journal)) == {"GET /ours", "GET /fast", "GET /requests"}
    assert sum(server.served.values()) <= 21 * (int(journal.last_s) + 2)
    assert sum(worker.held for second in journal.seconds for worker in second.workers) > 0
