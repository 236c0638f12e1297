"""A response does not depend on how it is split; invalid HTTP is rejected, and extra bytes end the connection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engine.http.response_parser import ResponseParser, parse_headers
from harness.engine.request_failures import (
    ConnectionClosed,
    HeadersTooLarge,
    MalformedResponse,
    RequestFailure,
    TruncatedResponse,
)

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
NO_BODY = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"


def read(parts: Sequence[bytes], method: str = "GET", *, ends: bool = False, most: int = 65536) -> ResponseParser:
    parser = ResponseParser.acquire(method, most)
    for part in parts:
        parser.feed(part)
    if ends and not parser.complete:
        parser.feed_eof()
    return parser


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    places = sorted({place % len(data) for place in at} - {0})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("raw", [LENGTH, CHUNKED, UNTIL_CLOSE, INTERIM + LENGTH, INTERIM + CHUNKED, b"\r\n" + LENGTH])
@given(at=st.lists(st.integers(0, 500), max_size=12))
def test_a_response_is_the_same_however_it_is_split(raw: bytes, at: list[int]) -> None:
    parser = read(cut(raw, at), ends=True)
    assert (parser.status, parser.body, parser.complete) == (200, b"hello", True)
    final = raw[raw.index(b"HTTP/1.1 200") :]
    assert parser.raw_headers == final[: final.index(b"\r\n\r\n") + 4]
    assert parser.reusable is (UNTIL_CLOSE not in raw)


@given(at=st.lists(st.integers(0, 500), max_size=6), keep=st.integers(1, 200))
def test_a_truncated_response_is_never_complete(at: list[int], keep: int) -> None:
    for raw in (LENGTH, CHUNKED, INTERIM + CHUNKED):
        with pytest.raises(TruncatedResponse):
            read(cut(raw[: keep % (len(raw) - 1) + 1], at), ends=True)


@given(st.binary(min_size=1, max_size=300), st.sampled_from([b"", LENGTH[:20], CHUNKED[:60], INTERIM]))
def test_any_bytes_are_a_response_or_a_failure(garbage: bytes, before: bytes) -> None:
    with suppress(RequestFailure):
        parser = read([before + garbage], ends=True)
        assert parser.complete
        assert 100 <= parser.status <= 999


@pytest.mark.parametrize("surplus", [b"x", b"\r\n", b"\n", b"HTTP/1.1 500 Not asked for\r\n\r\n", LENGTH])
@pytest.mark.parametrize("raw", [LENGTH, CHUNKED, NO_BODY, INTERIM + LENGTH])
def test_extra_bytes_end_the_connection_but_not_the_response(raw: bytes, surplus: bytes) -> None:
    alone = read([raw])
    status, body = alone.status, alone.body
    assert alone.reusable
    for parts in ([raw + surplus], [raw[:-3], raw[-3:] + surplus]):
        parser = read(parts)
        assert (parser.status, parser.body, parser.complete) == (status, body, True)
        assert not parser.reusable


@pytest.mark.parametrize(
    ("header_lines", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_keep_alive_by_version(header_lines: bytes, keeps: bool, method: str) -> None:
    body = b"" if method == "HEAD" else b"hello"
    assert read([header_lines + b"Content-Length: 5\r\n\r\n" + body], method).reusable is keeps


@pytest.mark.parametrize("header_lines", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_a_response_to_head_has_no_body(header_lines: bytes) -> None:
    parser = read([b"HTTP/1.1 200 OK\r\n" + header_lines + b"\r\n"], "HEAD")
    assert (parser.complete, parser.body, parser.reusable) == (True, b"", True)
    parser.recycle()
    assert read([LENGTH]).body == b"hello", "a recycled parser starts afresh"


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body(status: int) -> None:
    parser = read([b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status])
    assert (parser.complete, parser.body, parser.reusable) == (True, b"", True)


def test_a_protocol_switch_is_the_last_response() -> None:
    parser = read([b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nbytes of x"])
    assert (parser.status, parser.complete, parser.reusable) == (101, True, False)


@pytest.mark.parametrize("endless", [b"X: " + b"y" * 99 + b"\r\n", INTERIM, b"x"])
def test_headers_are_limited(endless: bytes) -> None:
    start = b"" if endless.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\nX: "
    with pytest.raises(HeadersTooLarge):
        read([start, *[endless] * 1100] if start else [endless] * 1100, most=1000)


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ],
)
def test_invalid_http_is_rejected(raw: bytes) -> None:
    with pytest.raises(MalformedResponse) as malformed:
        read([raw])
    assert malformed.value.kind == "invalid-http"
    assert malformed.value.params["reason"]


@pytest.mark.parametrize("raw", [LENGTH, CHUNKED, NO_BODY, b"\r\n" + LENGTH, INTERIM + LENGTH])
@pytest.mark.parametrize(
    "field", [b"", b"Set-Cookie: a=b\r\n", b"content-encoding: gzip\r\n", b"Connection: close\r\n"]
)
def test_cached_headers_mean_the_same(raw: bytes, field: bytes) -> None:
    raw = raw.replace(b"\r\nContent-Length", b"\r\n" + field + b"Content-Length")
    body = read([raw]).body
    for parts in ([raw], [raw[:-2], raw[-2:]]):
        parser = read(parts)
        assert (parser.body, parser.complete, parser.received) == (body, True, len(raw))
        assert parser.raw_headers in raw
        assert parser.sets_cookies is (b"Set-Cookie" in raw)
        assert parser.has_content_coding is (b"content-encoding" in raw)
        assert parser.reusable is (b"close" not in raw)
    to_head = read([raw[: raw.rindex(b"\r\n\r\n") + 4]], "HEAD")
    assert (to_head.body, to_head.complete) == (b"", True)
    with pytest.raises(HeadersTooLarge):
        read([raw], most=30)


def test_cached_headers_with_another_body() -> None:
    read([LENGTH])
    assert read([LENGTH.replace(b"hello", b"world")]).body == b"world"
    assert not read([LENGTH[:-1]]).complete
    assert not read([LENGTH + b"!"]).reusable


def test_a_connection_that_closes_without_a_response() -> None:
    with pytest.raises(ConnectionClosed):
        read([], ends=True)


def test_a_body_can_be_taken_in_parts() -> None:
    parser = ResponseParser.acquire("GET", 65536)
    taken = []
    for at in range(len(CHUNKED)):
        parser.feed(CHUNKED[at : at + 1])
        taken.append(parser.take_body())
    assert (b"".join(taken), parser.complete, parser.reusable) == (b"hello", True, True)


def test_header_names_have_no_case_and_folded_lines_are_joined() -> None:
    headers = parse_headers(
        b"HTTP/1.1 200 OK\r\nX-One: 1\r\nx-two:\t a\r\n b \r\nX-TWO: c\r\nX-\xe9: \xe9\r\nEmpty:\r\n\r\n"
    )
    assert headers["x-one"] == "1"
    assert headers.getlist("X-Two") == ["a b", "c"]
    assert headers["x-é"] == "é"
    assert headers["empty"] == ""
