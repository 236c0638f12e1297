"""Reading bodies in parts (``stream=True``, ``iter_content``, ``iter_lines``), with every kind of framing."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import pytest
from locust import HttpUser
from locust.exception import LocustError

from harness.engine.failure_details import failure_detail
from harness.engine.request_failures import ConnectionReset, MalformedResponse, RequestInterrupted, TruncatedResponse
from tests.support.http.echo import CODERS, TEXT, Echo
from tests.support.http.hostile import Peer, hostile_server, ok, responding_with
from tests.support.http.users import HARNESS, LOCUST, Driven, driven

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


def test_a_chunked_body_is_joined(user: Driven) -> None:
    response = user.get("/chunks/300")
    assert response.content == b"".join(bytes([number % 256]) * 1000 for number in range(300))
    assert user.last["response_length"] == 300_000


@pytest.mark.parametrize("size", [1, 7, 1000, 4096, 1_000_000])
def test_iter_content_yields_chunks_of_a_size(user: Driven, size: int) -> None:
    count = 1 if size == 1 else 20

    def task() -> list[bytes]:
        response = user.client.get(f"/chunks/{count}", stream=True)
        return list(response.iter_content(size, decode_content=False))

    pieces = user.call(task)
    assert b"".join(pieces) == b"".join(bytes([number % 256]) * 1000 for number in range(count))
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    assert len(user.recorded) == 1


def test_iter_content_as_text(user: Driven) -> None:
    assert "".join(user.get("/lines/3", stream=True).iter_content()) == "line 0 é\nline 1 é\nline 2 é\nthe end"


def test_iter_content_of_binary_data(user: Driven) -> None:
    body = "a€".encode() + b"\xff"
    response = user.get("/bytes", params={"hex": body.hex()}, stream=True)
    assert list(response.iter_content(1)) == ["a", *(bytes([byte]) for byte in body[1:])]


def test_iter_content_without_a_response(user_of: Callable[..., Driven]) -> None:
    response = user_of("http://127.0.0.1:9").get("/", stream=True)
    with pytest.raises(LocustError):
        list(response.iter_content())


def test_reading_from_the_stream(user: Driven) -> None:
    """``response.stream``, as in Locust's documentation, and ``response.read``."""
    response = user.get("/lines/2", stream=True)
    assert (response.stream.read(5), response.read(5)) == (b"line ", "0 é\n".encode())
    assert b"".join(response.stream) == "line 1 é\nthe end".encode()
    assert response.stream.read() == b""
    left = user.get("/lines/2", stream=True)
    left.release()
    assert user.get("/status/200").content == b"status 200"


def test_iter_lines(user: Driven) -> None:
    lines = user.call(lambda: list(user.client.iter_lines("/lines/3", name="lines")))
    assert lines == ["line 0 é", "line 1 é", "line 2 é", "the end"]
    assert (user.last["name"], user.recorded) == ("lines", [])


def test_iter_lines_with_another_method(user: Driven) -> None:
    lines = user.call(lambda: list(user.client.iter_lines("/lines/1", method="POST", data="x")))
    assert lines == ["line 0 é", "the end"]
    assert user.last["request_type"] == "POST"


def test_iter_lines_of_a_failure_raises(user: Driven) -> None:
    with pytest.raises(Exception, match="code=500"):
        user.call(lambda: list(user.client.iter_lines("/status/500")))
    assert "code=500" in str(user.last["exception"])


def test_the_time_of_a_streamed_request_ends_with_its_headers(user_of: Callable[..., Driven]) -> None:
    """Locust records it then, the harness when its body has ended."""
    parts = [CHUNKED + b"\r\n", b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"]

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(*parts[:2])
            gevent.sleep(0.05)
            peer.send(*parts[2:])

    with hostile_server(script) as server:
        user = user_of(server.url)

        def task() -> None:
            begun_s = time.perf_counter()
            response = user.client.get("/", stream=True)
            until_headers_s = time.perf_counter() - begun_s
            assert "".join(response.iter_content(100)) == "firstsecond"
            recorded = user.last
            assert recorded["response_length"] == 0  # not known when the headers arrive
            assert recorded["exception"] is None
            assert recorded["response_time"] <= 1000 * until_headers_s

        user.call(task)
        user.call(task)
        assert server.connections == 1  # it was read to its end, so its connection was reused


def test_the_recorded_length_of_a_stream_is_the_declared_one(user: Driven) -> None:
    response = user.get("/status/200", stream=True)
    assert (response.content, user.last["response_length"]) == (b"status 200", 10)


def test_content_of_a_streamed_request(user: Driven) -> None:
    response = user.call(lambda: user.client.get("/body?coding=gzip", stream=True))
    assert user.call(lambda: response.text) == TEXT


def test_an_unread_stream_does_not_block_the_next_request(user_of: Callable[..., Driven]) -> None:
    raw = ok(b"x" * 100_000)
    with hostile_server(responding_with([raw[:5000], raw[5000:]], ok())) as server:
        user = user_of(server.url)
        left = user.get("/", stream=True)
        assert user.get("/").content == b"sound"
        assert left.status_code == 200
        del left
        assert user.get("/").content == b"sound"


def test_many_streams_can_be_left_unread(user_of: Callable[..., Driven], echo: Echo) -> None:
    """More than ``concurrency`` allows, because a dropped stream holds no connection."""
    user = user_of(echo.url, concurrency=2)

    def task() -> None:
        for _ in range(5):
            assert user.client.get("/chunks/50", stream=True).status_code == 200
            user.recorded.clear()

    user.call(task)
    assert user.get("/status/200").content == b"status 200"


@pytest.mark.parametrize("base", [HttpUser, LOCUST, HARNESS])
def test_a_failure_leaves_the_rest_of_a_stream_to_the_scenario(user: Driven) -> None:
    """It may never come. A user that was held by reading it, and then stopped, lost its request."""

    def task() -> None:
        response = user.client.get("/lines/1", stream=True)
        assert "body" not in failure_detail("wrong", response, None, None)
        assert b"".join(response.iter_content(100, False)).decode() == "line 0 é\nthe end"
        whole = user.client.get("/lines/1")
        assert failure_detail("wrong", whole, None, None)["body"] == "line 0 é\nthe end"

    user.call(task)


def test_a_streamed_request_can_be_marked(user: Driven) -> None:
    def task() -> None:
        with user.client.get("/lines/2", stream=True, catch_response=True) as response:
            if "".join(response.iter_content()).endswith("the end"):
                response.failure("it has an end")

    user.call(task)
    assert str(user.last["exception"]) == "it has an end"


def test_a_truncated_stream(user_of: Callable[..., Driven]) -> None:
    """Reading returns what arrived, then raises. Locust records the request as successful."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + b"\r\n5\r\nfirst\r\n", b"6\r\nsec")
        peer.close()

    with hostile_server(script) as server:
        user = user_of(server.url)
        response = user.get("/", stream=True)
        pieces = response.iter_content(5)
        assert user.call(lambda: next(pieces)) == "first"
        with pytest.raises(Exception, match=r"Incomplete response|truncated response"):
            user.call(lambda: next(pieces))
        if isinstance(user.user, HARNESS):
            assert type(response.error) is type(user.last["exception"]) is TruncatedResponse


END = b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("rest", "failure", "raises"),
    [
        ([b"6\r\nsec"], TruncatedResponse, True),
        ([b"not a chunk\r\n"], MalformedResponse, True),
        (None, ConnectionReset, True),
        ([b"6\r\nsecond\r\n" + END], MalformedResponse, False),
    ],
    ids=["cut", "malformed", "reset", "badly packed"],
)
@pytest.mark.parametrize("catch", [False, True])
def test_a_stream_that_breaks_is_one_failed_request(
    rest: list[bytes] | None, failure: type[Exception], raises: bool, catch: bool
) -> None:
    """Reading it raises only where FastHttpUser does, which decodes no streams."""
    coding = b"" if raises else b"Content-Encoding: gzip\r\n"

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + coding + b"\r\n5\r\nfirst\r\n")
        gevent.sleep(0.05)
        if rest is None:
            peer.reset()
        else:
            peer.send(*rest)
            peer.close()

    def task() -> None:
        with user.client.get("/", stream=True, catch_response=catch) as response:
            for _ in response.iter_content(5):
                pass

    with hostile_server(script) as server, driven(HARNESS, server.url) as user:
        if raises:
            with pytest.raises(failure):
                user.call(task)
        else:
            user.call(task)
        assert type(user.last["exception"]) is failure


def test_a_stream_that_is_dropped_is_recorded_once(echo: Echo) -> None:
    with driven(HARNESS, echo.url) as user:

        def task() -> None:
            response = user.client.get("/chunks/1000", stream=True)
            assert (len(response.read(10)), user.recorded) == (10, [])

        user.call(task)
        assert user.last["exception"] is None
        user.call(lambda: user.client.get("/chunks/1000", stream=True).release())
        assert user.last["exception"] is None


def test_a_stream_that_is_cut_off_with_its_user_is_a_failure() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + b"\r\n5\r\nfirst\r\n")
        peer.request()

    with hostile_server(script) as server, driven(HARNESS, server.url) as user:
        reading = gevent.spawn(lambda: user.client.get("/", stream=True).content)
        while not server.requests:
            gevent.sleep(0.01)
        gevent.sleep(0.05)
        reading.kill()
        assert type(user.last["exception"]) is RequestInterrupted


@pytest.mark.parametrize("coding", ["gzip", "deflate", "deflate without zlib's header", "br"])
def test_streams_are_decoded(echo: Echo, coding: str) -> None:
    """Locust's client returns the bytes as they were sent, whatever ``decode_content`` is."""
    with driven(HARNESS, echo.url) as user:
        lines = user.call(lambda: list(user.client.iter_lines("/body", params={"coding": coding})))
        assert "\n".join(lines) == TEXT


@pytest.mark.parametrize(
    "pieces",
    [
        [CHUNKED + b"\r\n5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"],
        [CHUNKED + b"\r\n", b"5\r", b"\nfir", b"st\r\n6", b"\r\nsecond", b"\r\n0\r\n", b"\r\n"],
        [CHUNKED + b'\r\n0005;a=b;c="d;e"\r\nfirst\r\n06;x\r\nsecond\r\n000\r\n\r\n'],
        [CHUNKED + b"Trailer: X-Sum\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n0\r\nX-Sum: 1\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\ntransfer-ENCODING: Chunked\r\n\r\nB\r\nfirstsecond\r\n0\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nfirst", b"second"],
        [b"HTTP/1.1 200 OK\r\nContent-Length:11\r\n\r\nfirst", b"sec", b"ond"],
        [b"HTTP/1.1 200\r\nContent-Length: 11\r\n\r\nfirstsecond"],
        [b"HTTP/1.1 200 \r\nContent-Length: 11\r\n\r\nfirstsecond"],
    ],
)
@pytest.mark.parametrize("bytewise", [False, True])
def test_framings(user_of: Callable[..., Driven], pieces: list[bytes], bytewise: bool) -> None:
    if bytewise:
        pieces = [bytes([byte]) for byte in b"".join(pieces)]
    with hostile_server(responding_with(pieces)) as server:
        user = user_of(server.url)
        for _ in range(2):
            response = user.get("/")
            assert (response.status_code, response.content) == (200, b"firstsecond")
            assert user.last["exception"] is None
        assert server.connections == 1


@pytest.mark.parametrize(
    "interim",
    [
        [b"HTTP/1.1 100 Continue\r\n\r\n"],
        [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n"],
    ],
)
@pytest.mark.parametrize("cut", ["bytes", "responses", "not at all"])
def test_interim_responses(interim: list[bytes], cut: str) -> None:
    """They are unsolicited, and a client reads on (RFC 9110, 15.2).

    Locust's client takes a body for complete with what arrived in the same read as the final headers.
    """
    pieces = [*interim, ok(b"").replace(b": 0", b": 11"), b"first", b"second"]
    whole = b"".join(pieces)
    if cut != "responses":
        pieces = [whole] if cut == "not at all" else [bytes([byte]) for byte in whole]
    with hostile_server(responding_with(pieces)) as server, driven(HARNESS, server.url) as user:
        for _ in range(2):
            response = user.get("/")
            assert (response.status_code, response.content, user.last["exception"]) == (200, b"firstsecond", None)
            assert "link" not in response.headers
        assert server.connections == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
    ],
)
def test_a_body_that_ends_with_the_connection(user_of: Callable[..., Driven], head: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(head, b"first", b"second")
        peer.close()

    with hostile_server(script) as server:
        user = user_of(server.url)
        for _ in range(2):
            assert user.get("/").content == b"firstsecond"
            assert (user.last["exception"], user.recorded) == (None, [])
        assert server.connections == 2


def test_a_body_that_ends_with_the_connection_can_be_streamed(user_of: Callable[..., Driven]) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n", b"first\n", b"second")
        peer.close()

    with hostile_server(script) as server:
        user = user_of(server.url)
        assert user.call(lambda: list(user.client.iter_lines("/"))) == ["first", "second"]


@pytest.mark.parametrize("coding", sorted(CODERS.keys() - {"unheard-of", "gzip of two members", "zstd"}))
def test_an_encoded_chunked_body(user_of: Callable[..., Driven], coding: str) -> None:
    body = CODERS[coding](TEXT.encode())
    chunks = [b"%x\r\n%b\r\n" % (len(body[i : i + 9]), body[i : i + 9]) for i in range(0, len(body), 9)]
    head = (
        CHUNKED
        + b"Content-Encoding: %b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" % coding.split()[0].encode()
    )
    with hostile_server(responding_with([head, *chunks, b"0\r\n\r\n"])) as server:
        assert user_of(server.url).get("/").text == TEXT


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("header", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_responses_without_a_body(status: int, header: bytes) -> None:
    """Whatever their headers say (RFC 9112, 6.3), and the connection is reused.

    Locust's parser waits for the body that a 204 declares.
    """
    raw = b"HTTP/1.1 %d x\r\n%b\r\n" % (status, header)
    with hostile_server(responding_with(raw, ok())) as server, driven(HARNESS, server.url, network_timeout=2) as user:
        response = user.get("/")
        assert (response.status_code, response.content, user.last["exception"]) == (status, b"", None)
        assert (user.get("/").content, server.connections) == (b"sound", 1)


@pytest.mark.parametrize("header", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_head_has_no_body(user_of: Callable[..., Driven], header: bytes) -> None:
    with hostile_server(responding_with(b"HTTP/1.1 200 OK\r\n%b\r\n" % header, ok())) as server:
        user = user_of(server.url)
        response = user.call(lambda: user.client.head("/"))
        assert (response.status_code, response.content, user.last["exception"]) == (200, b"", None)
        assert (user.get("/").content, server.connections) == (b"sound", 1)
