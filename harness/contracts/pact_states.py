"""Forwards Pact's requests for states to the provider, once: its library retries 5xx for 2 minutes."""

from __future__ import annotations

import threading
from base64 import b64encode
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request

from harness.contracts.direct_requests import direct_opener

_TIMEOUT_S = 30.0
_JSON = "application/json"


class StatesRelay:
    """A context manager with a URL on this machine, whose requests go to ``states_url``, each once."""

    failure = ""
    """Why the last state could not be set up."""

    def __init__(self, states_url: str) -> None:
        parts = urlsplit(states_url)
        self._states_url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._headers = {"Content-Type": _JSON}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
        self._opener = direct_opener()
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, body = relay.passed_on(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                self.send_header("Content-Type", _JSON)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def passed_on(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the provider's response; 400 if there is none that helps."""
        request = Request(self._states_url, body, self._headers, method="POST")
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                return response.status, response.read()
        except HTTPError as error:
            self.failure = f"{self._states_url}: HTTP {error.code}"
        except (OSError, HTTPException) as error:
            self.failure = f"{self._states_url}: {getattr(error, 'reason', error)}"
        return 400, b"{}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
