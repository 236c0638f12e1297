"""A proxy before the target: all clients go through it, and the target sees the name that the user wrote."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.proxies.process import ProxyProcess
from tests.support.children import free_port
from tests.support.engine import phase, plan_of, put_load, requests_by_endpoint, scenario
from tests.support.http.certificates import Authority

SCENARIO = """
    from locust import FastHttpUser, HttpUser as RequestsUser, constant, task
    from harness import HttpUser

    class Ours(HttpUser):
        wait_time = constant(0.05)

        @task
        def go(self):
            self.client.get("/ours")

    class Fast(FastHttpUser):
        wait_time = constant(0.05)

        @task
        def go(self):
            self.client.get("/fast")

    class Requests(RequestsUser):
        wait_time = constant(0.05)

        @task
        def go(self):
            self.client.get("/requests")
"""


VERIFYING = """
    import ssl
    from locust import HttpUser as RequestsUser, constant, task
    from harness import HttpUser

    class Ours(HttpUser):
        wait_time = constant(0.05)
        insecure = False
        ssl_context_factory = staticmethod(lambda: ssl.create_default_context(cafile="{authority}"))

        @task
        def go(self):
            self.client.get("/ours")

    class Requests(RequestsUser):
        wait_time = constant(0.05)

        @task
        def go(self):
            self.client.get("/requests", verify="{authority}")
"""


@contextmanager
def noting_server(seen: set[tuple[str, str]], tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, int]]:
    """Notes path and ``Host`` of each request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.add((self.path, self.headers["Host"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield "127.0.0.1", server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_all_clients_reach_the_target_through_its_proxy(tmp_path: Path, host: str) -> None:
    seen: set[tuple[str, str]] = set()
    nobody = free_port()  # a direct connection fails
    plan = plan_of(scenario(tmp_path, SCENARIO), [phase((3, 3, 2))])
    with noting_server(seen) as address, ProxyProcess(Path(os.devnull)) as process:
        proxy = process.add("target", ("127.0.0.1", 0), address)
        url = f"http://{host}:{nobody}"
        journal = put_load(plan, url, tmp_path, through=(proxy.host, proxy.port))
    assert seen == {(path, f"{host}:{nobody}") for path in ("/ours", "/fast", "/requests")}
    assert requests_by_endpoint(journal).keys() == {"GET /ours", "GET /fast", "GET /requests"}
    assert sum(row.failures for second in journal.seconds for row in second.endpoint_seconds) == 0


@pytest.mark.slow
def test_certificates_are_verified_by_the_name_of_the_target(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority.issue("localhost"))
    seen: set[tuple[str, str]] = set()
    nobody = free_port()
    text = VERIFYING.format(authority=authority.certificate())
    with noting_server(seen, tls) as address, ProxyProcess(Path(os.devnull)) as process:
        proxy = process.add("target", ("127.0.0.1", 0), address)
        plan = plan_of(scenario(tmp_path, text), [phase((2, 2, 2))])
        journal = put_load(plan, f"https://localhost:{nobody}", tmp_path, through=(proxy.host, proxy.port))
    assert seen == {(path, f"localhost:{nobody}") for path in ("/ours", "/requests")}
    assert sum(row.failures for second in journal.seconds for row in second.endpoint_seconds) == 0
