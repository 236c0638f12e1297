"""Generated responses, split at any point and corrupted, have three properties.

A valid response is the same however it is split. Any bytes result in a response and one recorded request, within the
limits. And whatever arrived, the next request of the session gets its own response.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import brotli
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.http.hostile import HostileServer, Peer, hostile_server, ok
from tests.support.http.users import HARNESS, driven

CODERS = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}
SOUND = ok(b"the next one's own")
ALPHABET = "abcXYZ019!#$%&'*+-.^_`|~"
TOKENS = st.binary(min_size=1, max_size=9).map(lambda data: "".join(ALPHABET[byte % len(ALPHABET)] for byte in data))
CONTROLS = bytes([*range(0x20), 0x7F])
VALUES = st.binary(max_size=20).map(lambda data: data.translate(None, CONTROLS).decode("latin-1").strip(" "))
FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "content-encoding", "upgrade", "location"})


def examples(count: int) -> settings:
    """The same examples in every run. Raise the count to search for new ones."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


@dataclass(frozen=True)
class RawResponse:
    """The bytes of a response to ``method``, and what they mean. ``closes``: it ends with the connection."""

    method: str
    wire: bytes
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    closes: bool


@st.composite
def raw_responses(draw: st.DrawFn) -> RawResponse:
    """Valid responses by RFC 9112."""
    method = draw(st.sampled_from(["GET", "GET", "GET", "POST", "HEAD"]))
    status = draw(st.sampled_from([200, 200, 201, 204, 206, 304, 404, 500]))
    fields = [(n, v) for n, v in draw(st.lists(st.tuples(TOKENS, VALUES), max_size=3)) if n.lower() not in FRAMING]
    coding = draw(st.sampled_from(sorted(CODERS)))
    body = draw(st.binary(max_size=200))
    has_body = method != "HEAD" and status not in (204, 304)
    framing = draw(st.sampled_from(["length", "chunked", "until the end"] if has_body else ["length", "none"]))
    coded = CODERS[coding](body)
    lines = [*fields]
    if coding != "identity":
        lines.append(("Content-Encoding", coding))
    if framing == "length":
        lines.append(("Content-Length", str(len(coded))))
    elif framing == "chunked":
        lines.append(("Transfer-Encoding", "chunked"))
    lines = draw(st.permutations(lines))
    interim = b"".join(
        b"HTTP/1.1 %d x\r\nX-Hint: 1\r\n\r\n" % number
        for number in draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2))
    )
    blank = draw(st.sampled_from(["", " ", "  ", "\t"]))
    head = f"HTTP/1.1 {status} {draw(VALUES)}\r\n" + "".join(f"{n}:{blank}{v}\r\n" for n, v in lines) + "\r\n"
    sent = b""
    if has_body:
        sent = draw(chunked(coded)) if framing == "chunked" else coded
    wire = interim + head.encode("latin-1") + sent
    return RawResponse(
        method, wire, status, tuple(lines), body if has_body else b"", closes=has_body and framing == "until the end"
    )


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    parts = []
    for piece in cut(body, draw(cuts_of(body))):
        size = draw(st.sampled_from(["%x", "%X", "0%x", "%x;a", '%x;a="b c"'])) % len(piece)
        parts.append(size.encode() + b"\r\n" + piece + b"\r\n")
    trailer = draw(st.sampled_from([b"", b"", b"X-Sum: 1\r\n"]))
    return b"".join(parts) + draw(st.sampled_from([b"0", b"000", b"0;x=y"])) + b"\r\n" + trailer + b"\r\n"


def cuts_of(data: bytes) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, max(len(data), 1)), max_size=8)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    """``data`` in non-empty pieces."""
    edges = [0, *sorted(point for point in points if point < len(data)), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


@dataclass
class Lab:
    """A user, and a server that responds to ``/`` with :attr:`pieces` and then does :attr:`then`."""

    user: Any
    server: HostileServer
    pieces: list[bytes]
    then: str = "go on"

    def ask(self, method: str) -> tuple[Any, Any]:
        """Request ``/`` and then something else; return the response to ``/`` and its recorded failure."""
        response = self.user.request(method, "/")
        failure = self.user.last["exception"]
        after = self.user.get_in_time("/next")
        assert (after.status_code, after.content) == (200, b"the next one's own"), after.error
        return response, failure


@pytest.fixture
def laboratory() -> Iterator[Callable[..., Lab]]:
    """Create a server and a user with these class attributes."""

    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            if b" /next " in request:
                peer.send(SOUND)
                continue
            peer.send(*it.pieces)
            if it.then == "close":
                peer.close()
            elif it.then == "reset":
                peer.reset()
            elif it.then == "hold":
                peer.hold()

    with hostile_server(script) as server, ExitStack() as stack:
        it = Lab(None, server, [])

        def make(**limits: float) -> Lab:
            it.user = stack.enter_context(driven(HARNESS, server.url, max_redirects=3, **limits))
            return it

        yield make


@pytest.mark.slow
def test_a_valid_response_is_the_same_however_it_is_split(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory()

    @examples(200)
    @given(raw_responses(), st.data())
    def each(raw: RawResponse, data: st.DataObject) -> None:
        lab.pieces = cut(raw.wire, data.draw(cuts_of(raw.wire)))
        lab.then = "close" if raw.closes else "go on"
        before = lab.server.connections
        response, failure = lab.ask(raw.method)
        assert (response.status_code, response.content) == (raw.status, raw.body)
        assert (failure is None) == (raw.status < 400)
        got = [(name.lower(), value) for name, value in response.headers.items()]
        assert sorted(got) == sorted((name.lower(), value) for name, value in raw.headers)
        # Two requests on one connection, that of the previous example.
        assert lab.server.connections - before <= (1 if raw.closes else 0) + (before == 0)

    each()


@st.composite
def spoiled(draw: st.DrawFn) -> RawResponse:
    """A valid response with some bytes removed, inserted, doubled, swapped or changed."""
    raw = draw(raw_responses())
    wire = bytearray(raw.wire)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(wire)))
        to = min(len(wire), at + draw(st.integers(1, 20)))
        how = draw(st.sampled_from(["cut", "insert", "double", "flip", "line", "end"]))
        if how == "cut":
            del wire[at:to]
        elif how == "insert":
            wire[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif how == "double":
            wire[at:at] = wire[at:to]
        elif how == "flip" and at < len(wire):
            wire[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "line":
            wire[at:at] = draw(
                st.sampled_from(
                    [
                        b"\r\n",
                        b"\r\n\r\n",
                        b"\n",
                        b"\x00",
                        b"\r\nContent-Length: 3\r\n",
                        b"\r\nTransfer-Encoding: chunked\r\n",
                        b"\r\nContent-Encoding: gzip\r\n",
                        b"\r\nConnection: close\r\n",
                        b"\r\nLocation: /\r\n",
                        b"\r\nSet-Cookie: =;;=\r\n",
                        b"HTTP/1.1 200 OK\r\n",
                        b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n",
                    ]
                )
            )
        elif how == "end":
            del wire[at:]
    return replace(raw, wire=bytes(wire))


@pytest.mark.slow
@pytest.mark.parametrize(("then", "count"), [("close", 150), ("reset", 100), ("hold", 8)])
def test_any_bytes_are_one_recorded_request(laboratory: Callable[..., Lab], then: str, count: int) -> None:
    lab = laboratory(network_timeout=0.1) if then == "hold" else laboratory()

    @examples(count)
    @given(st.one_of(spoiled(), spoiled(), raw_responses()), st.data())
    def each(raw: RawResponse, data: st.DataObject) -> None:
        wire = raw.wire[: data.draw(st.integers(0, len(raw.wire)))] if data.draw(st.booleans()) else raw.wire
        lab.pieces, lab.then = cut(wire, data.draw(cuts_of(wire))), then
        response, failure = lab.ask(raw.method)
        assert 0 <= response.status_code < 1000
        assert (response.status_code == 0) <= (failure is not None)

    each()


def test_noise_is_one_recorded_request(laboratory: Callable[..., Lab]) -> None:
    lab = laboratory()

    @examples(100)
    @given(st.binary(max_size=300), st.sampled_from(["GET", "HEAD", "POST"]))
    def each(noise: bytes, method: str) -> None:
        lab.pieces, lab.then = cut(noise, [1, 2, len(noise) // 2]), "close"
        _, failure = lab.ask(method)
        assert failure is not None

    each()
