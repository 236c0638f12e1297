"""A target in a process of its own: ``python -m tests.support.breakable_server PORT FLAG RECOVERY``.

While the file FLAG is there, and for RECOVERY seconds after it was last seen, requests fail with 500.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main() -> None:
    port, flag, recovery_s = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    broken_until_s = 0.0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            nonlocal broken_until_s
            now_s = time.monotonic()
            if flag.exists():
                broken_until_s = now_s + recovery_s
            self.send_response(500 if now_s < broken_until_s and self.path != "/health" else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *arguments: object) -> None:
            """Statuses are enough."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
