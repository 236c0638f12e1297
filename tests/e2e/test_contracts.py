"""Runs with a contract: planted breaches are found in a target that is not the shop, and nothing else is."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn

from harness.record.summary import Summary
from tests.support import promised_target as books
from tests.support.children import wait_until
from tests.support.command import REPOSITORY, latest_run
from tests.support.in_process import Said, harness

SCENARIO = """
from locust import constant, task
from harness import HttpUser, steady

phases = [steady(users=2, hold=1)]
sampling = {"cpu": False, "memory": False}
gates = []
contract = CONTRACT
target = TARGET

class Reader(HttpUser):
    wait_time = constant(0.05)

    @task
    def read(self):
        for path in PATHS:
            self.client.get(path, name=path.rpartition("/")[0] + "/…")
"""


MANAGED = {
    "command": f"env PYTHONPATH={shlex.quote(str(REPOSITORY))} {shlex.quote(sys.executable)}"
    " -m tests.support.promised_target {port}"
}


@pytest.fixture(scope="module")
def attached() -> Iterator[dict[str, str]]:
    """The books, started once: it takes as long as a run."""
    server = uvicorn.Server(uvicorn.Config(books.app, port=0, log_level="warning", timeout_graceful_shutdown=20))
    serving = Thread(target=server.run, daemon=True)
    serving.start()
    wait_until(lambda: server.started, what="the books")
    host, port = server.servers[0].sockets[0].getsockname()
    yield {"url": f"http://{host}:{port}"}
    server.should_exit = True
    serving.join()


def run(folder: Path, target: dict[str, str], contract: dict[str, Any], paths: list[str]) -> Said:
    """Runs a scenario that reads these paths of the target."""
    text = SCENARIO.replace("CONTRACT", repr(contract)).replace("TARGET", repr(target)).replace("PATHS", repr(paths))
    (folder / "scenario.py").write_text(text)
    return harness("run", "scenario.py", "--json", cwd=folder)


@pytest.mark.slow
def test_each_planted_breach_is_found_and_nothing_else(tmp_path: Path) -> None:
    paths = [f"/books/{number}" for number in range(10)] + ["/books", "/broken"]
    ended = run(tmp_path, MANAGED, {"openapi": "/openapi.json", "sample": "100%"}, paths)
    summary, folder = Summary.model_validate_json(ended.out), latest_run(tmp_path)
    # The run is broken where other tests took the core from its load worker.
    assert [(gate.require, gate.status) for gate in summary.gates] == [("contract", "fail")], ended.err
    contract = summary.contract
    assert contract is not None
    found = {(one.operation, one.status, one.check, one.path, one.rule) for one in contract.breaches}
    book = "GET /books/{number}"
    assert found == {
        (book, 200, "body", "body.pages", "type"),
        (book, 200, "body", "body.authors[].name", "required"),
        (book, 200, "body", "body.title", "type"),
        (book, 418, "status", "status", "missing"),
        (book, 200, "body", "body", "json"),
        (book, 200, "content-type", "header Content-Type", "missing"),
        (book, 200, "headers", "header X-Left", "required"),
        (book, 200, "body", "body.access_token", "anyOf"),
        (book, 200, "body", "body", "required"),
        ("", 200, "operation", "request", "missing"),
    }
    assert (contract.title, contract.version, contract.complete) == ("Books", "1.2", True)
    coverage = {one.operation: (sorted(one.statuses), one.missing) for one in contract.operations}
    assert coverage == {book: (["200", "418"], ["422"]), "GET /books": (["200"], [])}
    assert summary.totals.failures > 0  # the 418s: breaches are no failures
    assert {failure.failure for failure in summary.failures} == {"HTTP 418"}
    assert json.loads((folder / "openapi.json").read_text())["info"]["title"] == "Books"
    report, kept = (folder / "report.html").read_text(), (folder / "contract").read_bytes()
    assert "body.authors[].name" in report
    assert str(12345678) not in report  # an access token
    assert b"12345678" not in kept
    assert b"Jane Austen" not in kept  # bodies are not recorded


@pytest.mark.slow
@pytest.mark.parametrize(
    ("openapi", "code"),
    [
        ("/no-such.json", "contract-not-served"),
        ("/health", "contract-not-openapi"),
        ("http://192.0.2.1/x", "target-host-not-allowed"),
    ],
)
def test_a_document_that_cannot_be_had_is_an_error_before_any_load(
    tmp_path: Path, attached: dict[str, str], openapi: str, code: str
) -> None:
    said = run(tmp_path, attached, {"openapi": openapi}, ["/books"])
    assert (said.exit_code, said.code) == (2, code), said.err
    assert not (latest_run(tmp_path) / "journal").exists()


def write_pact(folder: Path, pages: int) -> str:
    """Writes a pact on the list of books, with a book of this many pages; returns its name."""
    pact = {
        "consumer": {"name": "web"},
        "provider": {"name": "books"},
        "interactions": [
            {
                "description": "a list",
                "request": {"method": "GET", "path": "/books"},
                "response": {"status": 200, "body": [{"title": "Emma", "pages": pages, "authors": []}]},
            }
        ],
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    }
    (folder / "pact.json").write_text(json.dumps(pact))
    return "pact.json"


@pytest.mark.slow
def test_a_broken_pact_stops_the_run_before_the_load(tmp_path: Path, attached: dict[str, str]) -> None:
    ended = run(tmp_path, attached, {"pact": write_pact(tmp_path, pages=1)}, ["/books"])
    assert ended.exit_code == 1, ended.err
    made = latest_run(tmp_path)
    found = json.loads((made / "pact.json").read_text())
    assert [one["held"] for one in found["interactions"]] == [False]
    assert not (made / "summary.json").exists()


@pytest.mark.slow
def test_a_target_that_keeps_its_document_and_its_pact_passes(tmp_path: Path, attached: dict[str, str]) -> None:
    paths = ["/books", f"/books/{books.KEPT}", "/books/none"]
    kept = {"openapi": "/openapi.json", "sample": "100%", "pact": write_pact(tmp_path, pages=474)}
    ended = run(tmp_path, attached, kept, paths)
    summary = Summary.model_validate_json(ended.out)
    gates = {one.require: one.status for one in summary.gates}
    assert gates == {"contract": "pass", "pact": "pass"}, ended.err
    contract = summary.contract
    assert contract is not None
    assert contract.breaches == []
    assert all(not one.missing for one in contract.operations)  # 422 included, as /books/none is no number
    assert contract.checked > 0
