"""Requests of Locust's own clients that Locust forgets: the target has served them, so they are recorded as failed."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from harness.record.journal import Journal
from tests.support.engine import phase, plan_of, put_load, requests_by_endpoint, scenario

HEADERS = {
    "/to-an-app": ("302 Found", "Location: app.example://callback"),
    "/to-no-port": ("302 Found", "Location: http://127.0.0.1:99999/"),
    "/unheard-of": ("200 OK", "Content-Encoding: unheard-of"),
    "/not-brotli": ("200 OK", "Content-Encoding: br"),
    "/of-no-length": ("200 OK", "Content-Length: many"),
}
"""By path: a response that makes one of Locust's clients raise."""

LOCUSTFILE = """
    from contextlib import suppress

    from locust import FastHttpUser, HttpUser, User, constant, task

    class Everyone(User):
        abstract = True
        wait_time = constant(0.2)

        @task
        def call(self):
            for path in ("/to-an-app", "/to-no-port", "/unheard-of", "/not-brotli", "/of-no-length"):
                for options in ({}, {"catch_response": True}, {"stream": True}):
                    with suppress(Exception):  # each client raises errors of its own; what counts is the record
                        self.client.get(path, **options)
            with suppress(TypeError):
                self.client.get(None, name="never sent")

    class Requests(Everyone, HttpUser):
        abstract = False

    class Fast(Everyone, FastHttpUser):
        abstract = False
"""


class Peculiar(BaseHTTPRequestHandler):
    """Responds as :data:`HEADERS` say, and closes the connection."""

    served: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        self.served[f"GET {self.path}"] += 1
        status, header = HEADERS[self.path]
        self.wfile.write(f"HTTP/1.1 {status}\r\n{header}\r\nConnection: close\r\n\r\n".encode() + b"\xff\xfe\xfd")

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""


@pytest.mark.slow
def test_requests_whose_response_makes_the_client_raise_are_recorded_as_failed(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Peculiar) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            plan = plan_of(scenario(tmp_path, LOCUSTFILE), [phase((2, 2, 2))])
            journal = put_load(plan, f"http://127.0.0.1:{server.server_port}", tmp_path)
        finally:
            server.shutdown()
    recorded = requests_by_endpoint(journal)
    assert recorded == Peculiar.served
    assert failed(journal, "GET /to-an-app") == recorded["GET /to-an-app"] > 0


def failed(journal: Journal, endpoint: str) -> int:
    rows = (row for second in journal.seconds for row in second.endpoint_seconds)
    return sum(row.failures for row in rows if str(journal.endpoints[row.endpoint]) == endpoint)
