"""Receives OpenTelemetry traces over HTTP (OTLP 1.x) during a run, and writes them down.

It runs in a thread of the controller. What it takes is bounded: bodies by their size, packed and unpacked, requests by
their number at a time, spans by the size of their file. What is beyond is refused, counted, and reported once.
"""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import threading
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.plan.hosts import join_address
from harness.record.spans import Received, SpanWriter
from harness.sampling.otlp_spans import InvalidExportError, read_json, read_protobuf, spans_of

PATH = "/v1/traces"
_IGNORED = ("/v1/metrics", "/v1/logs")
"""Accepted and dropped: a target that sends them, too, should not write errors to its log."""
LONGEST_BODY = 4 << 20
LONGEST_UNPACKED = 8 << 20
MOST_HELD = 32 << 20
"""Of all bodies that are arriving at once."""
MOST_CONNECTIONS = 512
"""Each process of a target keeps one open."""
MOST_SPANS = 500_000
"""In a run: reading them takes 200 MB."""
_BODY_S = 10.0
"""How long a body may take to arrive."""
_END_S = 5.0
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_READERS = {_PROTOBUF: read_protobuf, _JSON: read_json}

_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]


def is_installed() -> bool:
    """Whether the package that decodes exports is installed (the extra ``traces``)."""
    try:
        return importlib.util.find_spec("opentelemetry.proto.collector.trace.v1") is not None
    except ModuleNotFoundError:
        return False


class _Refused(Exception):  # noqa: N818  (a response, not an error of ours)
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class OtlpReceiver:
    """Listens from its creation to :meth:`close`. Raises ``OSError`` if the address cannot be used."""

    def __init__(self, path: Path, host: str, port: int) -> None:
        import uvicorn  # only here: few runs need it

        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=128)
        self.host, self.port = self._socket.getsockname()[:2]
        self._writer = SpanWriter(path)
        self._kept = 0
        self._held = 0
        self._received = Received()
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                interface="asgi3",
                http="httptools",
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="otlp", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What exporters need: ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
        return f"http://{join_address(self.host, self.port)}"

    def close(self) -> None:
        """Take nothing more. May be called twice."""
        if not self._thread.is_alive() and self._socket.fileno() == -1:
            return
        self._server.should_exit = True
        self._thread.join(_END_S)
        self._socket.close()
        self._writer.close(self._received)

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    async def _app(self, scope: dict[str, Any], receive: _Receive, send: _Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            await asyncio.wait_for(self._take(scope, headers, kind, receive), _BODY_S)
            status = 200
        except _Refused as refused:
            status = refused.status
        except TimeoutError:
            status = 408
        if status != 200:
            self._received = replace(self._received, refused=self._received.refused + 1)
        # An empty message is a whole response: everything was accepted.
        body = b"{}" if kind == _JSON and status == 200 else b""
        kept = [] if status == 200 else [(b"connection", b"close")]
        content_type = (kind if kind in _READERS else "text/plain").encode()
        fields = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *kept]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def _take(self, scope: dict[str, Any], headers: Mapping[str, str], kind: str, receive: _Receive) -> None:
        if scope["path"] not in (PATH, *_IGNORED):
            raise _Refused(404)
        if scope["method"] != "POST":
            raise _Refused(405)
        if kind not in _READERS:
            raise _Refused(415)
        body = _unpacked(await self._body(receive), headers.get("content-encoding", "").strip().lower())
        if scope["path"] == PATH:
            try:
                self._keep(_READERS[kind](body))
            except InvalidExportError:
                raise _Refused(400) from None

    async def _body(self, receive: _Receive) -> bytes:
        body = bytearray()
        try:
            while True:
                event = await receive()
                if event["type"] != "http.request":
                    raise _Refused(400)
                chunk = event.get("body", b"")
                body += chunk
                self._held += len(chunk)
                if len(body) > LONGEST_BODY:
                    raise _Refused(413)
                if self._held > MOST_HELD:
                    raise _Refused(503)
                if not event.get("more_body"):
                    return bytes(body)
        finally:
            self._held -= len(body)

    def _keep(self, export: Any) -> None:
        found = list(spans_of(export))
        spans = [span for span in found if span is not None]
        counted, fit = self._received, self._kept + len(spans) <= MOST_SPANS
        if fit and spans:
            try:
                self._writer.write(spans)
                self._kept += len(spans)
            except OSError:  # the disk is full: the run continues without these spans
                fit = False
        self._received = replace(
            counted,
            invalid=counted.invalid + len(found) - len(spans),
            over_limit=counted.over_limit + (0 if fit else len(spans)),
        )


def _unpacked(body: bytes, coding: str) -> bytes:
    if coding in ("", "identity"):
        return body
    if coding not in ("gzip", "deflate"):
        raise _Refused(415)
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        unpacked = decompressor.decompress(body, LONGEST_UNPACKED)
    except zlib.error:
        raise _Refused(400) from None
    if decompressor.unconsumed_tail:
        raise _Refused(413)
    if not decompressor.eof:
        raise _Refused(400)
    return unpacked
