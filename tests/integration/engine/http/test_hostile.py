"""Servers that break the rules: each request to them is one recorded failure of a clear kind, or a valid response.

No exception ends the user, no request hangs, and no connection is reused after unexpected bytes. Locust's client is not
tested: for some responses it raises ``ValueError`` in the task, and it waits for ever while bytes keep arriving.
"""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import brotli
import gevent
import pytest

from harness.engine import request_failures as failures
from tests.support.http.hostile import Peer, Script, hostile_server, ok, responding_with
from tests.support.http.users import HARNESS, Driven, driven

LIMITS: dict[str, Any] = {
    "network_timeout": 20.0,
    "exchange_timeout": 20.0,
    "max_header_bytes": 10_000,
    "max_response_bytes": 200_000,
}
SHORT_LIMITS: dict[Any, dict[str, float]] = {
    failures.ResponseTimeout: {"network_timeout": 0.15},
    failures.ResponseTooSlow: {"exchange_timeout": 0.25},
}
"""Settings for tests that wait for one of these failures."""
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SOUND = ok()


def one_request(script: Script, check: Callable[[Any, Any], None], method: str = "GET", **limits: float) -> None:
    """Call ``check(response, failure)`` for a request to ``script``. Later requests get valid responses.

    They must be sent on another connection unless the first response was valid.
    """

    def serve(peer: Peer) -> None:
        if peer.number == 0:
            script(peer)
        while peer.request() is not None:
            peer.send(SOUND)

    with hostile_server(serve) as server, driven(HARNESS, server.url, **(LIMITS | limits)) as user:
        response = user.request(method, "/")
        failure = user.last["exception"]
        check(response, failure)
        if failure is not None:
            assert response.error is failure
            assert response.status_code in (0, 101, 200)  # not 0 if it ended after its headers
            assert str(failure)
        for _ in range(2):
            after = user.get_in_time("/next")
            assert (after.status_code, after.content) == (200, b"sound")
        if failure is not None:
            assert server.connections == 2 or limits


def fails_with(kind: type[BaseException], script: Script, method: str = "GET") -> None:
    def check(_: Any, failure: Any) -> None:
        assert type(failure) is kind, repr(failure)

    one_request(script, check, method, **SHORT_LIMITS.get(kind, {}))


def sends(*pieces: bytes, then: Callable[[Peer], None] = Peer.close) -> Script:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(*pieces)
        then(peer)

    return script


MALFORMED = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "NUL bytes": b"\x00" * 100,
    "8-bit bytes": bytes(range(128, 256)),
    "HTTP/0.9": b"<html>hello</html>",
    "another version": b"HTTP/3.7 200 OK\r\n\r\n",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "a lower case version": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a short status": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "a long status": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n",
    "a negative status": b"HTTP/1.1 -200 OK\r\nContent-Length: 0\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in a value": HEAD + b"X-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "NUL in a name": HEAD + b"X\x00A: a\r\nContent-Length: 0\r\n\r\n",
    "a space in a name": HEAD + b"X A: a\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": HEAD + b"Content-Length : 5\r\n\r\nsound",
    "a line without a colon": HEAD + b"X-A\r\nContent-Length: 0\r\n\r\n",
    "an empty name": HEAD + b": a\r\nContent-Length: 0\r\n\r\n",
    "a bare CR": HEAD + b"X-A: a\rb\r\nContent-Length: 0\r\n\r\n",
    "a length that is no number": HEAD + b"Content-Length: five\r\n\r\nsound",
    "an empty length": HEAD + b"Content-Length:\r\n\r\nsound",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\nsound",
    "a length with a sign": HEAD + b"Content-Length: +5\r\n\r\nsound",
    "a length in hex": HEAD + b"Content-Length: 0x5\r\n\r\nsound",
    "a length beyond 64 bit": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nsound",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nsound!",
    "length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a chunk's size that is no number": CHUNKED + b"xyz\r\nsound\r\n0\r\n\r\n",
    "no size of a chunk": CHUNKED + b"\r\nsound\r\n0\r\n\r\n",
    "a chunk's size that is negative": CHUNKED + b"-5\r\nsound\r\n0\r\n\r\n",
    "a chunk's size beyond 64 bit": CHUNKED + b"fffffffffffffffff\r\nsound\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"3\r\nsound\r\n0\r\n\r\n",
    "a chunk's size without a line": CHUNKED + b"5sound\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("then", [Peer.close, Peer.hold])
def test_malformed(raw: bytes, then: Callable[[Peer], None]) -> None:
    fails_with(failures.MalformedResponse, sends(raw, then=then))


def test_an_unrequested_protocol_switch() -> None:
    def check(response: Any, failure: Any) -> None:
        assert (response.status_code, type(failure).__name__) == (101, "LocustBadStatusCode")

    one_request(sends(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nx"), check)


WHOLE = [
    SOUND,
    ok(b"s" * 300, b"X-A: 1", b"Connection: keep-alive"),
    CHUNKED + b"3\r\nsou\r\n2;x=y\r\nnd\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + SOUND,
]


@pytest.mark.parametrize("raw", WHOLE)
@pytest.mark.parametrize(
    ("then", "kind"), [(Peer.close, failures.TruncatedResponse), (Peer.reset, failures.ConnectionReset)]
)
def test_truncated_at_any_byte(raw: bytes, then: Callable[[Peer], None], kind: type[BaseException]) -> None:
    """Closing or resetting after any number of bytes is a failure, and the session still works."""
    cuts = [*range(1, min(len(raw), 120)), *range(max(len(raw) - 9, 120), len(raw))]
    left = list(cuts)

    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            if b" /next" in request:
                peer.send(SOUND)
                continue
            peer.send(raw[: left.pop(0)])
            then(peer)
            return

    with hostile_server(script) as server, driven(HARNESS, server.url, **LIMITS) as user:

        def task() -> None:
            for cut in cuts:
                # POST, because it is not resent on the connection of /next.
                response = user.client.post("/")
                assert type(response.error) is kind, (cut, response.error)
                assert user.client.get("/next").content == b"sound"

        user.call(task)
        assert len(user.recorded) == 2 * len(cuts) == len(server.requests)


def test_closed_without_a_response() -> None:
    fails_with(failures.ConnectionClosed, sends())
    fails_with(failures.ConnectionReset, sends(then=Peer.reset))
    fails_with(failures.TruncatedResponse, sends(b"HTTP/1.1 100 Continue\r\n\r\n"))


SHORT = {
    "length": HEAD + b"Content-Length: 6\r\n\r\nsound",
    "chunk": CHUNKED + b"6\r\nsound",
    "last chunk": CHUNKED + b"5\r\nsound\r\n",
    "trailer": CHUNKED + b"5\r\nsound\r\n0\r\nX-A: 1",
}


@pytest.mark.parametrize("raw", SHORT.values(), ids=SHORT.keys())
def test_less_than_announced(raw: bytes) -> None:
    fails_with(failures.TruncatedResponse, sends(raw))
    fails_with(failures.ResponseTimeout, sends(raw, then=Peer.hold))


def test_nothing_at_all() -> None:
    fails_with(failures.ResponseTimeout, sends(then=Peer.hold))
    fails_with(failures.ResponseTimeout, sends(then=Peer.hold), method="POST")


SURPLUS = {
    "garbage": [SOUND + b"garbage"],
    "garbage later": [SOUND, b"garbage"],
    "NUL": [SOUND + b"\x00"],
    "an empty line": [SOUND + b"\r\n"],
    "a longer body than its length": [HEAD + b"Content-Length: 5\r\n\r\nsounder"],
    "another response": [SOUND + ok(b"poison")],
    "another response later": [SOUND, ok(b"poison")],
    "half of another response": [SOUND + ok(b"poison")[:20]],
    "another response after chunks": [CHUNKED + b"5\r\nsound\r\n0\r\n\r\n" + ok(b"poison")],
    "an interim response": [SOUND + b"HTTP/1.1 100 Continue\r\n\r\n"],
    "garbage after chunks": [CHUNKED + b"5\r\nsound\r\n0\r\n\r\ngarbage"],
    "empty lines after chunks": [CHUNKED + b"5\r\nsound\r\n0\r\n\r\n\r\n\r\n"],
}


@pytest.mark.parametrize("pieces", SURPLUS.values(), ids=SURPLUS.keys())
def test_extra_bytes_do_not_reach_the_next_response(pieces: list[bytes]) -> None:
    """The response itself is valid, and the bytes after it are not taken for the next one."""

    reused: list[int] = []

    def script(peer: Peer) -> None:
        peer.request()
        if peer.number:
            peer.send(SOUND)
            return
        peer.send(*pieces)
        if peer.request() is not None:
            reused.append(peer.number)

    with hostile_server(script) as server, driven(HARNESS, server.url, **LIMITS) as user:
        for path in ("/first", "/second"):
            response = user.get(path)
            assert (response.status_code, response.content, user.last["exception"]) == (200, b"sound", None)
            gevent.sleep(0.002)
        assert (server.connections, reused) == (2, [])


def test_a_body_after_head() -> None:
    with (
        hostile_server(responding_with(SOUND, ok(b"next"))) as server,
        driven(HARNESS, server.url, **LIMITS) as user,
    ):
        response = user.call(lambda: user.client.head("/"))
        assert (response.status_code, response.content, user.last["exception"]) == (200, b"", None)
        assert user.get("/").content == b"next"


def floods(first: bytes, piece: bytes) -> Script:
    """Send ``piece`` again and again until the client closes the connection."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(first, *repeat(piece, 5000))

    return script


FLOODS = {
    "one header line": (HEAD + b"X-A: ", b"a" * 1000, failures.HeadersTooLarge),
    "header lines": (HEAD, b"X-A: a\r\n" * 100, failures.HeadersTooLarge),
    "a status line": (b"HTTP/1.1 200 ", b"OK" * 1000, failures.HeadersTooLarge),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10, failures.HeadersTooLarge),
    "empty lines": (b"", b"\r\n" * 1000, failures.HeadersTooLarge),
    "a body without an end": (HEAD + b"\r\n", b"a" * 10_000, failures.ResponseTooLarge),
    "chunks": (CHUNKED, b"3e8\r\n" + b"a" * 1000 + b"\r\n", failures.ResponseTooLarge),
    "a chunk's extension": (CHUNKED + b"5;a=", b"a" * 10_000, failures.ResponseTooLarge),
    "a chunk's size": (CHUNKED, b"0" * 10_000, failures.ResponseTooLarge),
    "trailers": (CHUNKED + b"0\r\n", b"X-A: a\r\n" * 1000, failures.ResponseTooLarge),
    "a body longer than the limit": (
        HEAD + b"Content-Length: 1000000\r\n\r\n",
        b"a" * 10_000,
        failures.ResponseTooLarge,
    ),
}


@pytest.mark.parametrize(("first", "piece", "kind"), FLOODS.values(), ids=FLOODS.keys())
def test_endless(first: bytes, piece: bytes, kind: type[BaseException]) -> None:
    fails_with(kind, floods(first, piece))


DRIPS = {
    "header lines": (HEAD, b"X-A: a\r\n"),
    "a header line": (HEAD + b"X-A: ", b"a"),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (HEAD + b"\r\n", b"a"),
    "chunks": (CHUNKED, b"1\r\na\r\n"),
    "a chunk's extension": (CHUNKED + b"5;a=", b"a"),
}


@pytest.mark.parametrize(("first", "drop"), DRIPS.values(), ids=DRIPS.keys())
def test_dripping(first: bytes, drop: bytes) -> None:
    """Each byte arrives in time, but the response never ends."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(first)
        while True:
            gevent.sleep(0.02)
            peer.send(drop)

    fails_with(failures.ResponseTooSlow, script)


def bomb(coding: str) -> bytes:
    """20 MB of zeros in at most about 20 KB."""
    if coding == "br":
        small: bytes = brotli.compress(bytes(20_000_000), quality=1)
        return small
    plain = zlib.compressobj(wbits={"gzip": 31, "deflate": 15}[coding])
    return b"".join([*(plain.compress(bytes(1_000_000)) for _ in range(20)), plain.flush()])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_bombs(coding: str) -> None:
    """Small responses that are far larger than the limit when decoded are not decoded to the end."""
    body = bomb(coding)
    assert len(body) < 50_000
    fails_with(failures.ResponseTooLarge, sends(ok(body, b"Content-Encoding: " + coding.encode())))


BROKEN = {
    "not gzip": (b"gzip", b"sound"),
    "gzip cut off": (b"gzip", gzip.compress(b"sound" * 100)[:-10]),
    "gzip with a wrong sum": (b"gzip", gzip.compress(b"sound")[:-8] + b"\x00" * 8),
    "not deflate": (b"deflate", b"sound"),
    "deflate cut off": (b"deflate", zlib.compress(b"sound" * 100)[:-5]),
    "not brotli": (b"br", b"sound sound sound"),
    "brotli cut off": (b"br", brotli.compress(b"sound" * 100)[:-3]),
    "gzip within no gzip": (b"gzip, gzip", gzip.compress(b"sound")),
    "a coding nobody knows": (b"x-rot13", b"sound"),
}


@pytest.mark.parametrize(("coding", "body"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_codings(coding: bytes, body: bytes) -> None:
    def check(_: Any, failure: Any) -> None:
        assert type(failure) is failures.MalformedResponse, repr(failure)

    one_request(sends(ok(body, b"Content-Encoding: " + coding)), check)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nsound",
        HEAD + b"X-Folded: a\r\n b\r\nContent-Length: 5\r\n\r\nsound",
        HEAD + b"Content-Length: 5, 5\r\n\r\nsound",
        HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nsound",
        b"\r\n\r\n" + SOUND,
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + b"5\r\nsound\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nsound",
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\nsound",
        b"HTTP/1.1 000 x\r\nContent-Length: 5\r\n\r\nsound",
        b"HTTP/1.1 999 x\r\nContent-Length: 5\r\n\r\nsound",
    ],
)
def test_what_a_client_may_accept_or_reject(raw: bytes) -> None:
    """RFC 9112 lets a client choose. Either way one request is recorded, and the session still works."""

    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            if b" /next" in request:
                peer.send(SOUND)
            else:
                peer.send(raw)
                peer.close()

    with hostile_server(script) as server, driven(HARNESS, server.url, **LIMITS) as user:
        response = user.get("/")
        assert user.last["exception"] is not None or response.content == b"sound"
        assert user.get("/next").content == b"sound"
        assert (user.last["exception"], user.recorded) == (None, [])


def test_a_thousand_failures_leave_no_connection_open() -> None:
    def broken() -> Iterator[bytes]:
        while True:
            yield from (b"garbage\r\n\r\n", HEAD + b"Content-Length: x\r\n\r\n", SOUND + SOUND, HEAD)

    raw_responses = broken()
    ended = 0

    def script(peer: Peer) -> None:
        nonlocal ended
        peer.request()
        peer.send(next(raw_responses))
        peer.finish_sending()
        peer.hold()
        ended += 1

    with hostile_server(script) as server, driven(HARNESS, server.url, **LIMITS) as user:

        def task(user: Driven = user) -> None:
            for _ in range(1000):
                user.client.get("/")
            gevent.sleep(0.05)

        user.call(task)
        assert len(user.recorded) == server.connections == 1000
        assert ended >= 999


@pytest.mark.parametrize("to", ["http://a..b/", "https://.x/", f"http://{'a' * 64}.test/", "http://a b/", "http://"])
def test_a_location_with_an_invalid_host_is_refused(to: str) -> None:
    fails_with(failures.RedirectRefused, sends(ok(b"", b"Location: " + to.encode(), status=b"302 Found")))


def test_a_location_can_have_an_internationalized_host() -> None:
    """It is looked up by its ASCII name."""
    moved = ok(b"", "Location: http://пример.invalid/".encode(), status=b"302 Found")
    fails_with(socket.gaierror, sends(moved))
