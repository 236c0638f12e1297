"""The same locustfile under ``locust`` and under the harness: same names, counts and failures, and the server's own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from harness.control.load_processes import LoadProcesses
from harness.record.journal import Journal
from tests.support.children import die_with_the_tests
from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, put_load, requests_by_endpoint

USERS = 8
LAST = ("GET /Requests/stop", "GET /Fast/stop", "GET /Ours/stop")
LOCUST_ENDS_S = 60

LOCUSTFILE = """
    import gevent
    import harness
    from locust import FastHttpUser, HttpUser, SequentialTaskSet, User, constant, events, task
    from locust.exception import StopUser
    from locust.runners import LocalRunner

    @events.spawning_complete.add_listener
    def end_with_the_last_user(**_):
        def wait_and_quit():
            while runner.user_count:
                gevent.sleep(0.1)
            runner.quit()
        if runner is not None:
            gevent.spawn(wait_and_quit)

    runner = None

    @events.init.add_listener
    def under_locust_alone(environment, **_):
        global runner
        runner = environment.runner if isinstance(environment.runner, LocalRunner) else None

    class Everything:
        def on_start(self):
            self.left = 3
            self.client.get("/" + type(self).__name__ + "/start")

        def on_stop(self):
            self.client.get("/" + type(self).__name__ + "/stop")

        def call_everything(self):
            client = self.client
            mine = "/" + type(self).__name__
            client.get(mine + "/plain")
            client.get(mine + "/plain?page=1")
            client.get(mine + "/plain", params={"page": 2})
            client.get(mine + "/item/17", name=mine + "/item/[id]")
            client.post(mine + "/form", data={"a": "b"})
            client.put(mine + "/json", json={"a": [1, 2]})
            client.delete(mine + "/plain")
            client.get("/status/404", name=mine + " 404")
            client.get("http://127.0.0.1:9/", name=mine + " nobody")
            with client.get("/status/500", name=mine + " 500 wanted", catch_response=True) as answer:
                answer.success()
            with client.get(mine + "/wrong", catch_response=True) as answer:
                answer.failure("not what was asked for")
            with client.get("/status/500", name=mine + " 500 left", catch_response=True):
                pass
            with self.rest("GET", mine + "/rest") as answer:
                assert answer.js["ok"] is False, "it is ok"
            with self.rest_("GET", mine + "/fresh") as answer:
                assert answer.js["ok"]
            self.left -= 1
            if not self.left:
                raise StopUser()

    class Requests(Everything, HttpUser):
        wait_time = constant(0.01)
        tasks = [Everything.call_everything]

    class Fast(Everything, FastHttpUser):
        wait_time = constant(0.01)
        tasks = [Everything.call_everything]

    class Ours(Everything, harness.HttpUser):
        wait_time = constant(0.01)
        tasks = [Everything.call_everything]

    class Own(User):
        wait_time = constant(0.01)
        fixed_count = 2

        def on_start(self):
            self.left = 3

        @task
        class Steps(SequentialTaskSet):
            @task
            def asks(self):
                self.user.environment.events.request.fire(
                    request_type="own", name="ask", response_time=12.5, response_length=3, exception=None, context={}
                )

            @task
            def is_refused(self):
                with self.user.environment.events.request.measure("own", "be refused") as measured:
                    measured["response_length"] = 7
                    raise ConnectionRefusedError("go away")

            @task
            def knows_no_time(self):
                self.user.environment.events.request.fire(
                    request_type="own", name="timeless", response_time=None, response_length=0
                )
                self.user.left -= 1
                if not self.user.left:
                    raise StopUser()
"""


@pytest.mark.slow
def test_names_counts_and_failures_are_those_that_locust_reports(tmp_path: Path) -> None:
    path = tmp_path / "everything.py"
    path.write_text(textwrap.dedent(LOCUSTFILE))
    with CountingServer().running() as of_locust, CountingServer().running() as ours:
        reported = tmp_path / "locust"
        options = ["--headless", "-u", str(USERS), "-r", "100", "-t", "60s", "-s", "10", "--json-file", str(reported)]
        locust = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", path, "--host", of_locust.url, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_the_tests,
        )
        try:
            plan = plan_of(path, [phase((USERS, USERS, 40))], workers=2)
            journal = put_load(plan, ours.url, tmp_path, end_with_the_last_user)
            locust.wait(LOCUST_ENDS_S)
        finally:
            locust.kill()
            locust.wait()
    theirs = {
        f"{each['method']} {each['name']}": each for each in json.loads(reported.with_suffix(".json").read_text())
    }
    counted = {name: each["num_requests"] for name, each in theirs.items()}
    assert {name: each["num_failures"] for name, each in theirs.items()} == failures_by_endpoint(journal)
    assert counted == requests_by_endpoint(journal)
    assert of_locust.served == ours.served
    # Nothing is left out by both alike: two users of each class, three iterations of each.
    assert {counted[f"GET /{name}/start"] for name in ("Requests", "Fast", "Ours")} == {2}
    assert {counted[f"GET /{name} 404"] for name in ("Requests", "Fast", "Ours")} == {6}
    assert counted["own be refused"] == theirs["own be refused"]["num_failures"] == 6
    assert sum(counted.values()) - ours.served.total() == 3 * 6 + 3 * 6  # what reached no server


def end_with_the_last_user(load: LoadProcesses, journal: Journal) -> None:
    recorded = requests_by_endpoint(journal)
    if all(recorded[name] == 2 for name in LAST) and recorded["own timeless"] == 6:
        load.stop("interrupted")


def failures_by_endpoint(journal: Journal) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for second in journal.seconds:
        for row in second.endpoint_seconds:
            counts[str(journal.endpoints[row.endpoint])] += row.failures
    return dict(counts)
