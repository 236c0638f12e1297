"""A small real HTTP server that counts what it serves, and can stall, fail, or respond slowly by path.

``GET /anything``: 200 and a JSON body. ``/slow/N``: after N ms. ``/status/N``: status N. ``/garbage``: not HTTP.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class CountingServer:
    """``served`` counts requests by ``METHOD /path`` as soon as they have arrived."""

    def __init__(self) -> None:
        self.served: Counter[str] = Counter()
        self.delay_s = 0.0
        """How long each response takes at the least."""
        self.stalled = threading.Event()
        """While set, no response is sent."""
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _respond(self) -> None:
                with owner._lock:
                    owner.served[f"{self.command} {self.path.partition('?')[0]}"] += 1
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, parts = 200, self.path.strip("/").split("/")
                time.sleep(owner.delay_s)
                if parts[0] == "slow":
                    time.sleep(int(parts[1]) / 1000)
                if parts[0] == "status":
                    status = int(parts[1])
                while owner.stalled.is_set():
                    time.sleep(0.005)
                body = b'{"ok": true}'
                if parts[0] == "garbage":
                    self.wfile.write(b"\x00\xff not http\r\n\r\n")
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = _respond  # noqa: N815  (http.server's names)

            def log_message(self, format: str, *arguments: object) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients that hang up are what tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        # A test waits for its end for as long as it may take the server to look whether it is to end.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @contextmanager
    def running(self) -> Iterator[CountingServer]:
        self._thread.start()
        try:
            yield self
        finally:
            self.stalled.clear()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
