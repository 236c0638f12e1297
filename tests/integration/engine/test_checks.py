"""What a scenario expects of responses counts by name, in the journal of a real load."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.engine import checks
from harness.engine.checks import CheckRecorder
from harness.engine.expectation import Expectation, expect
from harness.engine.phase_track import PhaseTrack
from harness.errors import HarnessError
from harness.record.journal import Journal
from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, put_load, requests_by_endpoint, scenario

SCENARIO = """
import harness
from locust import constant, task
from harness import HttpUser

class Visitor(HttpUser):
    wait_time = constant(0.02)

    @task
    def visit(self):
        good = self.client.get("/good")
        harness.expect(good, "good").status(200).json("ok", True).within("10s")
        bad = self.client.get("/status/500", name="bad")
        harness.expect(bad).status(200).json("ok")
        harness.expect(bad, "bad").json("ok").status(200).json("no")
        harness.check("by hand", bad.status_code == 200, "it failed")
        with self.client.get("/caught", catch_response=True) as caught:
            harness.expect(caught, "caught").status(200).json("ok", False).or_fail()
"""


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> CheckRecorder:
    began_s = time.perf_counter()
    made = CheckRecorder(PhaseTrack(), lambda: time.perf_counter() - began_s)
    monkeypatch.setattr(checks, "_recorder", made)
    return made


def counts_of(journal: Journal, number: int | None = None) -> dict[str, tuple[int, int]]:
    passed, failed = Counter[str](), Counter[str]()
    for second in journal.seconds:
        for each in second.checks:
            if number in (None, each.phase):
                passed[each.name] += each.passed
                failed[each.name] += each.failed
    return {name: (passed[name], failed[name]) for name in {**passed, **failed}}


@pytest.mark.slow
def test_checks_of_two_workers_are_added_up_by_phase(server: CountingServer, tmp_path: Path) -> None:
    phases = [phase((4, 4, 1), name="one"), phase((4, 4, 1), name="two")]
    journal = put_load(plan_of(scenario(tmp_path, SCENARIO), phases, workers=2), server.url, tmp_path)
    made = server.served["GET /good"]
    assert made > 20
    assert counts_of(journal) == {
        "good": (made, 0),
        "status is 200": (0, server.served["GET /status/500"]),
        "json ok": (server.served["GET /status/500"], 0),
        "bad": (0, server.served["GET /status/500"]),
        "by hand": (0, server.served["GET /status/500"]),
        "caught": (0, server.served["GET /caught"]),
    }
    sent = requests_by_endpoint(journal, 0)["GET /good"]
    assert counts_of(journal, 0)["good"][0] == pytest.approx(sent, abs=8)
    failures = Counter[str]()
    for failure in journal.failures:
        failures[str(journal.endpoints[failure.endpoint])] += failure.count
    # Only or_fail() makes a request fail that the status does not.
    assert failures == {"GET bad": server.served["GET /status/500"], "GET /caught": server.served["GET /caught"]}
    assert {sample.name for sample in journal.check_samples} == {"status is 200", "bad", "by hand", "caught"}
    assert ("bad", "status is 200: status 500") in {(each.name, each.text) for each in journal.check_samples}


CLIENTS = """
import harness
from locust import FastHttpUser, HttpUser, constant, task

class Fast(FastHttpUser):
    wait_time = constant(0.1)
    fixed_count = 1

    @task
    def visit(self):
        harness.expect(self.client.get("/ok"), "fast").status(200).json("ok", True).within("10s")
        down = self.client.get("http://127.0.0.1:9/", name="down")
        harness.expect(down, "fast down").status().json("ok").within("10s").json_schema({})
        with self.client.get("/caught", catch_response=True) as caught:
            harness.expect(caught, "fast caught").status(201).or_fail()

class Requests(HttpUser):
    wait_time = constant(0.1)
    fixed_count = 1

    @task
    def visit(self):
        harness.expect(self.client.get("/ok"), "requests").status(200).json("ok", True).within("10s")
        down = self.client.get("http://127.0.0.1:9/", name="down")
        harness.expect(down, "requests down").status().json("ok").within("10s").json_schema({})
        with self.client.get("/caught", catch_response=True) as caught:
            harness.expect(caught, "requests caught").status(201).or_fail()
"""


def test_responses_of_locusts_own_clients_are_checked_alike(server: CountingServer, tmp_path: Path) -> None:
    journal = put_load(plan_of(scenario(tmp_path, CLIENTS), [phase((2, 2, 1))]), server.url, tmp_path)
    assert [event.message.code for event in journal.events] == []
    for client in ("fast", "requests"):
        good, down, caught = (counts_of(journal)[client + what] for what in ("", " down", " caught"))
        assert good[0] > 2
        assert good[1] == down[0] == caught[0] == 0
        assert good[0] == pytest.approx(down[1], abs=1)
        assert {each.text for each in journal.check_samples if each.name == f"{client} down"} == {
            "status is 2xx: no response"
        }
    failed = {
        failure.failure for failure in journal.failures if str(journal.endpoints[failure.endpoint]) == "GET /caught"
    }
    assert failed == {"check failed: fast caught", "check failed: requests caught"}


Condition = Callable[[Expectation], Expectation]
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (lambda it: it.status(), True),
        (lambda it: it.status(201, 200), True),
        (lambda it: it.status(404), False),
        (lambda it: it.within("20s"), True),
        (lambda it: it.within(0.000001), False),
        (lambda it: it.json("ok"), True),
        (lambda it: it.json("ok", True), True),
        (lambda it: it.json("ok", False), False),
        (lambda it: it.json("ok", lambda ok: ok is True), True),
        (lambda it: it.json("ok", lambda ok: ok == 5), False),
        (lambda it: it.json("ok.below"), False),
        (lambda it: it.json("items.0"), False),
        (lambda it: it.json_schema(SCHEMA), True),
        (lambda it: it.json_schema({**SCHEMA, "required": ["other"]}), False),
        (lambda it: it.that("a", 1), True),
        (lambda it: it.that("a", 0), False),
    ],
)
def test_a_condition_of_a_response(
    server: CountingServer, recorder: CheckRecorder, condition: Condition, holds: bool
) -> None:
    response = requests.get(server.url)
    assert bool(condition(expect(response))) is holds
    ((_, _, _, passed, failed),) = recorder.take()[0]
    assert (passed, failed) == (int(holds), int(not holds))


def test_without_json_nothing_is_raised(server: CountingServer, recorder: CheckRecorder) -> None:
    response = requests.get(f"{server.url}/metrics")
    response._content = b"not JSON"
    expectation = expect(response, "all").json("ok").json_schema(SCHEMA)
    assert not expectation
    assert [[name, *counts] for name, _, _, *counts in recorder.take()[0]] == [["all", 0, 1]]


@pytest.mark.parametrize(
    ("body", "is_json"), [(b'{"ok": NaN}', False), (b'{"ok": [-Infinity]}', False), (b'{"ok": "NaN"}', True)]
)
def test_nan_and_infinity_are_not_json(server: CountingServer, body: bytes, is_json: bool) -> None:
    response = requests.get(server.url)
    response._content = body
    assert bool(expect(response).json_schema({})) is bool(expect(response).json("ok")) is is_json


def test_a_schema_is_compiled_once_and_may_be_in_a_file(tmp_path: Path, server: CountingServer) -> None:
    path = tmp_path / "ok.json"
    path.write_text(json.dumps(SCHEMA))
    assert expect(requests.get(server.url)).json_schema(path).json_schema(str(path))
    with pytest.raises(HarnessError) as raised:
        expect(requests.get(server.url)).json_schema({"type": 5})
    assert raised.value.code == "json-schema-invalid"
    with pytest.raises(HarnessError) as missing:
        expect(requests.get(server.url)).json_schema(tmp_path / "none.json")
    assert (missing.value.code, missing.value.where) == ("json-schema-invalid", str(tmp_path / "none.json"))


def test_a_remote_schema_is_not_fetched(server: CountingServer) -> None:
    with pytest.raises(HarnessError) as raised:
        expect(requests.get(server.url)).json_schema({"$ref": f"{server.url}/schema.json"})
    assert (raised.value.code, server.served["GET /schema.json"]) == ("json-schema-invalid", 0)


def test_a_request_that_is_recorded_already_cannot_fail(server: CountingServer) -> None:
    with pytest.raises(HarnessError) as raised:
        expect(requests.get(server.url)).status(200).or_fail()
    assert raised.value.code == "expect-needs-catch-response"


def test_an_expectation_without_a_response_fails(recorder: CheckRecorder) -> None:
    nothing: Any = requests.Response()
    nothing.elapsed = None
    nothing.status_code = 0
    assert not expect(nothing, "x").status().within("1s").json("a")
    assert [counts for _, _, _, *counts in recorder.take()[0]] == [[0, 1]]
