"""Responses are checked during the load, and the load does not depend on the process that checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.contracts.checks import CHECKS
from harness.control.load_processes import LoadProcesses
from harness.plan.model.run import ContractPlan, RunPlan
from harness.record.contract_checks import CONTRACT_SECONDS, ContractSecond
from harness.record.journal import Journal, JournalFollower
from harness.record.run_folder import RunFolder
from tests.support.children import wait_until
from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, requests_by_endpoint, scenario
from tests.support.fork_servers import fork_server

SCENARIO = """
    from locust import constant, task
    from harness import HttpUser

    class Someone(HttpUser):
        wait_time = constant(0.03)

        @task
        def look(self):
            self.client.get("/a?page=1", name="/a")
            self.client.get("/status/500", name="/failing")
"""
RESPONSES: dict[str, Any] = {
    "200": {"description": "", "content": {"application/json": {"schema": {"required": ["ok"]}}}}
}
DOCUMENT = {"openapi": "3.1.0", "info": {}, "paths": {"/a": {"get": {"responses": RESPONSES}}}}


@pytest.fixture(scope="module")
def server() -> Iterator[CountingServer]:
    with CountingServer().running() as running:
        yield running


def put_load(
    plan: RunPlan, url: str, folder: RunFolder, act: Callable[[LoadProcesses], None] = lambda _: None
) -> tuple[Journal, list[ContractSecond]]:
    """The journal of the plan's load, and what was checked; ``act`` is called once the load runs."""
    folder.openapi.write_text(json.dumps(DOCUMENT))
    settings = {"document": str(folder.openapi), "record": str(folder.contract), "source": "openapi.json"}
    settings |= {"sha256": "", "base_path": "", "secret_names": [], "checks": CHECKS}  # type: ignore[dict-item]
    plan = plan.model_copy(update={"contract": ContractPlan(openapi="x", checks=CHECKS, sample=0.5)})
    follower = JournalFollower(folder.journal)
    with LoadProcesses(fork_server(), folder, plan) as load:
        load.begin([url], contract=settings)
        wait_until(lambda: (follower.poll(), follower.journal.phases)[1])
        act(load)
        wait_until(lambda: not load.running)
    follower.poll()
    return follower.journal, CONTRACT_SECONDS.read(folder.contract)


@pytest.mark.slow
def test_each_failure_and_a_share_of_the_rest_is_checked(tmp_path: Path, server: CountingServer) -> None:
    plan = plan_of(scenario(tmp_path, SCENARIO), [phase((4, 4, 1.5))], workers=2)
    journal, seconds = put_load(plan, server.url, RunFolder.create(tmp_path, "run"))
    sent = requests_by_endpoint(journal)
    checked = {"GET /a": 0, "GET /failing": 0}
    for one in (one for second in seconds for one in second.responses):
        checked[str(journal.endpoints[one.endpoint])] += one.checked
    skipped = sum(second.skipped.get("rate", 0) for second in seconds)
    assert checked["GET /failing"] + skipped == sent["GET /failing"]
    assert 0 < checked["GET /a"] < sent["GET /a"]
    assert seconds[-1].is_last
    found = {(str(journal.endpoints[one.endpoint]), one.check) for second in seconds for one in second.breaches}
    assert found == {("GET /failing", "operation")}


@pytest.mark.slow
@pytest.mark.parametrize("signalled", ["kill", "suspend"])
def test_the_load_continues_if_the_checker_ends(tmp_path: Path, server: CountingServer, signalled: str) -> None:
    plan = plan_of(scenario(tmp_path, SCENARIO), [phase((2, 2, 1.5))])

    def break_it(load: LoadProcesses) -> None:
        (checker,) = psutil.Process(load.pids()[0]).children()
        getattr(checker, signalled)()

    journal, seconds = put_load(plan, server.url, RunFolder.create(tmp_path, "run"), break_it)
    assert journal.end_reason == "done"
    assert sum(requests_by_endpoint(journal).values()) > 10
    assert not any(second.is_last for second in seconds)
