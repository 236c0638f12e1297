"""A run with traces says what requests do inside a target that it does not know."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from harness.record.spans import read_spans
from harness.record.summary import Summary
from tests.support.bookshop import BOOKS
from tests.support.command import REPOSITORY, harness, latest_run

SCENARIO = """
from locust import constant, task

from harness import HttpUser, gate, steady

phases = [steady(users=2, hold=4)]
sampling = {"cpu": False, "memory": {"duration": 2}}
gates = [
    gate("queries_per_request <= 5", endpoint="GET /books"),
    gate("queries_per_request <= 5", endpoint="GET /books/{number}"),
    gate("db_time < 10s"),
    gate("downstream_time < 10s"),
]

class Reader(HttpUser):
    wait_time = constant(0.01)

    @task
    def all(self):
        self.client.get("/books")

    @task
    def one(self):
        self.client.get("/books/7", name="/books/{number}")
"""


def test_a_run_says_what_requests_do_inside_an_unknown_target(tmp_path: Path) -> None:
    target = [sys.executable, "-m", "tests.support.bookshop", "{port}", str(tmp_path / "books.db")]
    command = shlex.join(target).replace("'{port}'", "{port}")
    link = "https://tracing.example/trace/{trace_id}"
    scenario = f"{SCENARIO}\ntarget = {{'command': {command!r}, 'traces': True, 'trace_url': {link!r}}}\n"
    (tmp_path / "scenario.py").write_text(scenario)
    ended = harness("run", "scenario.py", cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)})
    assert ended.code == 1, ended.err
    folder = latest_run(tmp_path)
    summary = Summary.model_validate_json((folder / "summary.json").read_text())

    by_endpoint = {gate.endpoint: (gate.status, gate.observed) for gate in summary.gates if "queries" in gate.require}
    assert by_endpoint == {"GET /books": ("fail", BOOKS + 1), "GET /books/{number}": ("pass", 1)}
    of_all = {gate.require: (gate.status, gate.code) for gate in summary.gates if gate.endpoint is None}
    assert of_all["db_time < 10s"][0] == "pass"
    assert of_all["downstream_time < 10s"] == ("inconclusive", "gate-not-recorded")

    for phase in ("steady", "diagnose"):
        (entry,) = (entry for entry in summary.statements if (entry.phase, entry.endpoint) == (phase, "GET /books"))
        (repeated,) = entry.repeated
        assert (repeated.times, repeated.share) == (BOOKS, 1.0)
        assert repeated.text == "SELECT author.id, author.name FROM author WHERE author.id = ?"
        assert entry.time_by_kind_ms["database"] > 0
        assert entry.time_by_kind_ms["own"] > 0

    traced = {phase.name: 0 for phase in summary.phases}
    for entry in summary.statements:
        traced[entry.phase] += entry.requests
    steady, diagnose = summary.phases
    assert 0.01 < traced["steady"] / steady.requests < 0.12
    assert traced["diagnose"] >= 0.95 * diagnose.requests

    slow = summary.statements[0].slowest[0]
    assert slow.url == f"https://tracing.example/trace/{slow.trace_id}"
    assert slow.url in (folder / "report.html").read_text()
    recorded = {span.trace.hex() for span in read_spans(folder / "spans").spans}
    assert {request.trace_id for entry in summary.statements for request in entry.slowest} <= recorded
    assert {"spans", "spans.parquet"} <= {path.name for path in folder.iterdir()}
