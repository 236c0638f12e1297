"""A target in a process of its own: ``python -m tests.support.noting_target ADDRESS PORT FILE``.

For each request that has arrived it appends ``wall clock, client's address`` to the file, and responds 200.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main() -> None:
    address, port, file = sys.argv[1:]
    lock = threading.Lock()
    notes = Path(file).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115  (as long as the process)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            with lock:
                notes.write(f"{time.time()} {self.client_address[0]}\n")
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *arguments: object) -> None:
            """Notes are enough."""

    ThreadingHTTPServer((address, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
