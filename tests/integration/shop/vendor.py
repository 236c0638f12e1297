"""A payment vendor that a test holds in its hand: each charge waits until the test lets it through."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HeldVendor:
    """``charged`` is set when a charge has come in; the response has ``status``, once ``release`` is set."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.posted: list[str] = []
        """The path of each POST that has come in."""
        self.charged = threading.Event()
        self.release = threading.Event()


@contextmanager
def held_vendor() -> Iterator[HeldVendor]:
    """A vendor that listens on loopback until the end."""
    vendor = HeldVendor()

    class Charge(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            vendor.posted.append(self.path)
            vendor.charged.set()
            vendor.release.wait(20)
            self.send_response(vendor.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Charge) as server:
        server.daemon_threads = True
        vendor.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield vendor
        finally:
            vendor.release.set()
            server.shutdown()
            thread.join()
