"""A real ASGI server, uvicorn in a thread, whose paths determine its responses.

``/status/N``: status N with the body ``status N``. ``/redirect/N?to=URL``: a redirect with status N.
``/chain/N``: N redirects, then ``/echo``. ``/cookies?set=…``: these ``Set-Cookie`` headers.
``/body?coding=…&charset=…&type=…``: :data:`TEXT`, encoded. ``/bytes?hex=…&type=…``: these bytes.
``/lines/N`` and ``/chunks/N``: N chunks. Any other path: the request, as JSON.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs

import brotli
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.support.children import free_port, wait_until

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = "Grüße aus dem Laden: 12 €. " * 40

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE"]


def _raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip of two members": lambda body: gzip.compress(body[:100]) + gzip.compress(body[100:]),
    "deflate": zlib.compress,
    "deflate without zlib's header": _raw_deflate,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "identity": bytes,
    "unheard-of": bytes,
}
"""Encoders by name; the first word is the ``Content-Encoding``."""


async def echo(request: Request) -> Response:
    scope = request.scope
    target = scope["raw_path"].decode("latin-1")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("latin-1")
    body = await request.body()
    result = {
        "method": scope["method"],
        "target": target,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": body.decode("latin-1"),
        "connection": scope["client"][1] if scope["client"] else None,
    }
    return Response(json.dumps(result), media_type="application/json")


async def status(request: Request) -> Response:
    number = int(request.path_params["number"])
    return Response("" if number in (204, 304) else f"status {number}", number)


async def redirect(request: Request) -> Response:
    await request.body()
    return Response("moved", request.path_params["number"], {"Location": request.query_params["to"]})


async def chain(request: Request) -> Response:
    left = request.path_params["left"]
    return Response(b"", 302, {"Location": f"/chain/{left - 1}" if left > 1 else "/echo"})


async def cookies(request: Request) -> Response:
    response = Response("set")
    for line in parse_qs(request.scope["query_string"].decode(), separator="&").get("set", []):
        response.headers.append("Set-Cookie", line)
    return response


async def body(request: Request) -> Response:
    coding = request.query_params.get("coding", "identity")
    charset = request.query_params.get("charset", "utf-8")
    coded = CODERS[coding](TEXT.encode(charset))
    headers = {"Content-Encoding": coding.split()[0]} if coding != "identity" else {}
    kind = request.query_params.get("type", f"text/plain; charset={charset}")
    return Response(coded, headers={**headers, "Content-Type": kind})


async def raw(request: Request) -> Response:
    headers = {"Content-Type": request.query_params["type"]} if "type" in request.query_params else {}
    return Response(bytes.fromhex(request.query_params["hex"]), headers=headers)


async def lines(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(request.path_params["count"]):
            yield b"line "
            yield f"{number} é\n".encode()
        yield b"the end"

    return StreamingResponse(pieces(), media_type="text/plain; charset=utf-8")


async def chunks(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(request.path_params["count"]):
            yield bytes([number % 256]) * 1000

    return StreamingResponse(pieces(), media_type="application/octet-stream")


def _application() -> Starlette:
    routes = {
        "/status/{number:int}": status,
        "/redirect/{number:int}": redirect,
        "/chain/{left:int}": chain,
        "/cookies": cookies,
        "/body": body,
        "/bytes": raw,
        "/lines/{count:int}": lines,
        "/chunks/{count:int}": chunks,
        "/{rest:path}": echo,
    }
    return Starlette(routes=[Route(path, handler, methods=METHODS) for path, handler in routes.items()])


@dataclass(frozen=True)
class Echo:
    """A running server on ``127.0.0.1``, also known as ``localhost``."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def start_echo() -> Iterator[Echo]:
    """Run the server for a ``with`` block."""
    echo = Echo(free_port())
    config = uvicorn.Config(_application(), port=echo.port, log_level="critical", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, what="the echo server's being ready")
        yield echo
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
