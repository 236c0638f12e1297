"""A server that speaks Toxiproxy's HTTP API as its README documents it, for lack of a package.

It keeps proxies and toxics and checks what it is sent, but forwards nothing. Where ``toxiproxy-server`` is installed,
the tests run against that, too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from harness.errors import HarnessError
from harness.proxies.toxiproxy import ask_toxiproxy
from tests.support.children import dying_with_the_tests, free_port, stop, wait_until

PROGRAM = shutil.which("toxiproxy-server")
SERVERS = ["documented", *(["toxiproxy-server"] if PROGRAM else [])]
_ATTRIBUTES = {
    "latency": {"latency", "jitter"},
    "bandwidth": {"rate"},
    "slow_close": {"delay"},
    "timeout": {"timeout"},
    "reset_peer": {"timeout"},
    "slicer": {"average_size", "size_variation", "delay"},
    "limit_data": {"bytes"},
}


class _RefusedError(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


class _Toxiproxy:
    def __init__(self) -> None:
        self._proxies: dict[str, dict[str, Any]] = {}

    def do(self, method: str, path: str, data: Any) -> tuple[int, Any]:
        match method, [unquote(part) for part in path.strip("/").split("/")]:
            case "GET", ["proxies"]:
                return 200, self._proxies
            case "POST", ["proxies"]:
                return 201, self._create(data)
            case "GET", ["proxies", name]:
                return 200, self._proxy(name)
            case "POST" | "PATCH", ["proxies", name]:
                self._proxy(name).update(data)
                return 200, self._proxy(name)
            case "DELETE", ["proxies", name]:
                del self._proxies[self._proxy(name)["name"]]
                return 204, None
            case "GET", ["proxies", name, "toxics"]:
                return 200, self._proxy(name)["toxics"]
            case "POST", ["proxies", name, "toxics"]:
                return 200, self._add_toxic(self._proxy(name)["toxics"], data)
            case "DELETE", ["proxies", name, "toxics", toxic]:
                toxics = self._proxy(name)["toxics"]
                if all(each["name"] != toxic for each in toxics):
                    raise _RefusedError(404, "toxic not found")
                toxics[:] = [each for each in toxics if each["name"] != toxic]
                return 204, None
        raise _RefusedError(404, "404 page not found")

    def _proxy(self, name: str) -> dict[str, Any]:
        if name not in self._proxies:
            raise _RefusedError(404, "proxy not found")
        return self._proxies[name]

    def _create(self, data: dict[str, Any]) -> dict[str, Any]:
        for key in ("name", "upstream"):
            if not data.get(key):
                raise _RefusedError(400, f"missing required field: {key}")
        if data["name"] in self._proxies:
            raise _RefusedError(409, "proxy already exists")
        host, _, port = data["listen"].rpartition(":")
        listen = f"{host}:{free_port() if port == '0' else port}"
        self._proxies[data["name"]] = {"enabled": True, **data, "listen": listen, "toxics": []}
        return self._proxies[data["name"]]

    def _add_toxic(self, toxics: list[dict[str, Any]], data: dict[str, Any]) -> dict[str, Any]:
        if data["type"] not in _ATTRIBUTES or not data["attributes"].keys() <= _ATTRIBUTES[data["type"]]:
            raise _RefusedError(400, "invalid toxic type")
        if any(not isinstance(value, int) for value in data["attributes"].values()):
            raise _RefusedError(
                400, "bad request body: json: cannot unmarshal number into Go struct field of type int64"
            )
        if data["stream"] not in ("upstream", "downstream"):
            raise _RefusedError(400, "stream was invalid, can be either upstream or downstream")
        if any(each["name"] == data["name"] for each in toxics):
            raise _RefusedError(409, "toxic already exists")
        toxics.append(data)
        return data


@contextmanager
def start_toxiproxy(server: str) -> Iterator[str]:
    """The URL of one of :data:`SERVERS`."""
    with _documented() if server == "documented" else _installed() as url:
        yield url


@contextmanager
def _documented() -> Iterator[str]:
    toxiproxy = _Toxiproxy()

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, data = toxiproxy.do(self.command, self.path, json.loads(body) if body else None)
            except _RefusedError as refused:
                status, data = refused.status, {"error": str(refused), "status": refused.status}
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            if data is not None:
                self.wfile.write(json.dumps(data).encode())

        do_GET = do_POST = do_PATCH = do_DELETE = _respond  # noqa: N815  (http.server's names)

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@contextmanager
def _installed() -> Iterator[str]:
    assert PROGRAM is not None
    port = free_port()
    process = subprocess.Popen(
        dying_with_the_tests([PROGRAM, "-host", "127.0.0.1", "-port", str(port)]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _responds(url), what="Toxiproxy's being ready")
        yield url
    finally:
        stop(process)


def _responds(url: str) -> bool:
    try:
        return ask_toxiproxy(url, "GET", "/proxies") is not None
    except HarnessError:
        return False
