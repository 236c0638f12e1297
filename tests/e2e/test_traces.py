"""A run with traces says what requests do inside a target that it does not know."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.record.spans import read_spans
from harness.record.summary import Summary
from harness.targets.health import why_not_listening
from tests.support.bookshop import BOOKS
from tests.support.children import die_with_the_tests, free_port, wait_until
from tests.support.command import REPOSITORY, latest_run
from tests.support.in_process import harness

SCENARIO = """
from locust import constant, task

from harness import HttpUser, gate, steady

phases = [steady(users=2, hold=8)]  # of each endpoint, a few requests are traced also where others have the cores
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


@pytest.mark.slow
def test_a_run_says_what_requests_do_inside_an_unknown_target(tmp_path: Path) -> None:
    target = [sys.executable, "-m", "tests.support.bookshop", "{port}", str(tmp_path / "books.db")]
    command = shlex.join(target).replace("'{port}'", "{port}")
    link = "https://tracing.example/trace/{trace_id}"
    settings = {"command": command, "traces": True, "trace_url": link, "environment": {"PYTHONPATH": str(REPOSITORY)}}
    (tmp_path / "scenario.py").write_text(f"{SCENARIO}\ntarget = {settings}\n")
    ended = harness("run", "scenario.py", cwd=tmp_path)
    assert ended.exit_code == 1, ended.err
    folder = latest_run(tmp_path)
    summary = Summary.model_validate_json((folder / "summary.json").read_text())

    by_endpoint = {gate.endpoint: (gate.status, gate.observed) for gate in summary.gates if "queries" in gate.require}
    assert by_endpoint == {"GET /books": ("fail", BOOKS + 1), "GET /books/{number}": ("pass", 1)}
    of_all = {gate.require: (gate.status, gate.code) for gate in summary.gates if gate.endpoint is None}
    assert of_all["db_time < 10s"][0] == "pass"
    assert of_all["downstream_time < 10s"] == ("inconclusive", "gate-not-recorded")

    (explanation,) = summary.explanations
    assert (explanation.endpoint, explanation.causes[0].what.code) == ("GET /books", "cause-statements")

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
    assert 0 < traced["steady"] < 0.5 * steady.requests
    assert traced["diagnose"] >= 0.95 * diagnose.requests

    slow = summary.statements[0].slowest[0]
    assert slow.url == f"https://tracing.example/trace/{slow.trace_id}"
    assert slow.url in (folder / "report.html").read_text()
    recorded = {span.trace.hex() for span in read_spans(folder / "spans").spans}
    assert {request.trace_id for entry in summary.statements for request in entry.slowest} <= recorded
    assert {"spans", "spans.parquet"} <= {path.name for path in folder.iterdir()}
    assert list((folder / "memory").iterdir())  # the memory agent runs beside OpenTelemetry


BY_HAND = '''
import http.server, json, os, sys, threading, time, urllib.request

ENDPOINT = sys.argv[2]

def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}

class Handler(http.server.BaseHTTPRequestHandler):
    """Records its spans by hand: 3 statements with a value each, its clock an hour ahead."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parent = (self.headers.get("traceparent") or "").split("-")
        if len(parent) == 4:
            now = time.time_ns() + 3_600_000_000_000
            root = os.urandom(8).hex()
            common = {"traceId": parent[1], "status": {}}
            spans = [{**common, "spanId": root, "parentSpanId": parent[2], "name": "GET /", "kind": 2,
                      "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 5_000_000)}]
            for number in range(3):
                spans.append({**common, "spanId": os.urandom(8).hex(), "parentSpanId": root, "name": "q", "kind": 3,
                              "startTimeUnixNano": str(now + 1_000_000 * number),
                              "endTimeUnixNano": str(now + 1_000_000 * (number + 1)),
                              "attributes": [attribute("db.system.name", "postgresql"),
                                             attribute("db.query.text", f"SELECT 'secret {number}' FROM t")]})
            other = {"traceId": os.urandom(16).hex(), "spanId": root, "name": "of others", "kind": 2,
                     "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1)}
            resource = {"attributes": [attribute("service.name", "by hand")]}
            body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [*spans, other]}]}]}
            for content in (json.dumps(body).encode(), b"{garbage"):
                request = urllib.request.Request(f"{ENDPOINT}/v1/traces", content, {"Content-Type": "application/json"})
                try:
                    urllib.request.urlopen(request, timeout=5).read()
                except OSError:
                    pass
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''


@pytest.mark.slow
def test_a_running_target_of_any_kind_is_traced_at_the_address_that_it_knows(tmp_path: Path) -> None:
    port, otlp = free_port(), free_port()
    (tmp_path / "by_hand.py").write_text(BY_HAND)
    (tmp_path / "locustfile.py").write_text(
        "from locust import FastHttpUser, task\nfrom harness import gate\n\nclass Reader(FastHttpUser):\n"
        "    @task\n    def read(self):\n        self.client.get('/', name='home')\n"
        "gates = [gate('error_rate < 90%')]\n"  # without any, the run is void if the generator was slow
    )
    command = [sys.executable, str(tmp_path / "by_hand.py"), str(port), f"http://127.0.0.1:{otlp}"]
    target = subprocess.Popen(command, preexec_fn=die_with_the_tests)
    try:
        wait_until(lambda: not why_not_listening("127.0.0.1", port), what="the target")
        arguments = ["--host", f"http://127.0.0.1:{port}", "--otlp", f"127.0.0.1:{otlp}", "-u", "2", "-t", "2s"]
        ended = harness("run", "locustfile.py", *arguments, cwd=tmp_path)
    finally:
        target.kill()
        target.wait()
    folder = latest_run(tmp_path)
    summary = Summary.model_validate_json((folder / "summary.json").read_text())
    assert ended.exit_code in (0, 3), ended.err
    (entry,) = {entry.endpoint: entry for entry in summary.statements}.values()
    assert (entry.endpoint, entry.statements_per_request) == ("GET home", 3)
    assert [(repeated.text, repeated.times) for repeated in entry.repeated] == [("SELECT ? FROM t", 3)]
    assert "exports-refused" in [notice.code for notice in summary.notices]
    assert b"secret" not in (folder / "spans").read_bytes()


def test_an_address_that_is_taken_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(
        "from locust import HttpUser, task\n\nclass Reader(HttpUser):\n"
        "    @task\n    def read(self):\n        self.client.get('/')\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = harness("run", "locustfile.py", "--target", "shop", "--otlp", address, "-t", "1s", cwd=tmp_path)
    assert ended.exit_code == 2
    assert "--otlp" in ended.err
