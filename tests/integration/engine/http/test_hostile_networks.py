"""What fails below HTTP or before a response: TLS, proxies, uploads. Each is one recorded failure."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gevent
import pytest

from harness.engine import request_failures as failures
from tests.support.http.certificates import Authority
from tests.support.http.hostile import Peer, Script, hostile_server, ok, responding_with
from tests.support.http.users import HARNESS, driven

SHORT_LIMITS: dict[Any, dict[str, float]] = {
    failures.ConnectTimeout: {"connection_timeout": 0.15},
    failures.ResponseTimeout: {"network_timeout": 0.15},
    failures.ResponseTooSlow: {"exchange_timeout": 0.25},
}
"""Settings for tests that wait for one of these failures."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, of an untrusted authority."""
    return Authority.new(tmp_path_factory.mktemp("certificates")).issue("127.0.0.1")


def drip(peer: Peer, drop: bytes, first: bytes = b"") -> None:
    peer.send(first)
    while True:
        gevent.sleep(0.02)
        peer.send(drop)


HELLOS: dict[str, tuple[Script, type[BaseException]]] = {
    "a response without TLS": (lambda peer: peer.send(ok()), ssl.SSLError),
    "garbage": (lambda peer: peer.send(b"\x00\xff" * 100), ssl.SSLError),
    "an alert": (lambda peer: peer.send(b"\x15\x03\x03\x00\x02\x02\x28"), ssl.SSLError),
    "nothing, then the end": (Peer.finish_sending, ssl.SSLError),
    "a reset": (Peer.reset, ConnectionResetError),
    "nothing": (Peer.hold, failures.ConnectTimeout),
    "a record that never ends": (lambda peer: drip(peer, b"\x02", b"\x16\x03\x03\x40\x00"), failures.ConnectTimeout),
}


@pytest.mark.parametrize(("script", "kind"), HELLOS.values(), ids=HELLOS.keys())
def test_handshakes(script: Script, kind: type[BaseException]) -> None:
    def serve(peer: Peer) -> None:
        peer.receive_some()
        script(peer)

    with (
        hostile_server(serve) as server,
        driven(HARNESS, f"https://127.0.0.1:{server.port}", **SHORT_LIMITS.get(kind, {})) as user,
    ):
        for _ in range(2):
            response = user.get("/")
            assert isinstance(response.error, kind), repr(response.error)
            assert (response.status_code, user.last["exception"]) == (0, response.error)
        assert server.connections == 2


@pytest.mark.parametrize(
    ("pieces", "then", "kind"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"sound"], Peer.close, failures.TruncatedResponse),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"sound"], Peer.reset, failures.ConnectionReset),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"sound"], Peer.hold, failures.ResponseTimeout),
        ([b"garbage\r\n"], Peer.hold, failures.MalformedResponse),
        ([b""], Peer.close, failures.ConnectionClosed),
        ([b"HTTP/1.1 200 OK\r\n\r\nsound"], Peer.close, None),
        ([ok() + b"garbage"], Peer.hold, None),
        ([ok(), b"garbage"], Peer.hold, None),
    ],
)
def test_responses_over_tls(
    certificate: Path, pieces: list[bytes], then: Script, kind: type[BaseException] | None
) -> None:
    def serve(peer: Peer) -> None:
        while peer.request() is not None:
            if peer.number == 0:
                peer.send(*pieces)
                then(peer)
                return
            peer.send(ok())

    limits = SHORT_LIMITS.get(kind, {})
    with hostile_server(serve, certificate) as server, driven(HARNESS, server.url, **limits) as user:
        response = user.get("/")
        if kind is None:
            assert (response.content, user.last["exception"]) == (b"sound", None)
        else:
            assert type(user.last["exception"]) is kind, repr(response.error)
        gevent.sleep(0.01)
        for _ in range(2):
            assert user.get_in_time("/").content == b"sound"
        assert server.connections == 2 or limits


def test_a_tls_record_that_never_completes(certificate: Path) -> None:
    """The exchange timeout also applies to a TLS record that arrives byte by byte."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        peer.send_beneath(b"\x17\x03\x03\x40\x00")
        while True:
            gevent.sleep(0.02)
            peer.send_beneath(b"\x00")

    with (
        hostile_server(serve, certificate) as server,
        driven(HARNESS, server.url, **SHORT_LIMITS[failures.ResponseTooSlow]) as user,
    ):
        response = user.get("/")
        assert type(response.error) is failures.ResponseTooSlow, repr(response.error)


PROXIES: dict[str, tuple[Script, type[BaseException]]] = {
    "another status": (lambda peer: peer.send(b"HTTP/1.1 503 x\r\n\r\n"), failures.TunnelRefused),
    "garbage": (lambda peer: peer.send(b"garbage\r\n\r\n"), failures.MalformedResponse),
    "bytes after the response": (
        lambda peer: peer.send(b"HTTP/1.1 200 x\r\n\r\n\x16\x03\x03"),
        failures.MalformedResponse,
    ),
    "half a response": (lambda peer: peer.send(b"HTTP/1.1 200"), failures.TruncatedResponse),
    "the end": (Peer.close, failures.ConnectionClosed),
    "a reset": (Peer.reset, ConnectionResetError),
    "nothing": (Peer.hold, failures.ConnectTimeout),
    "a response that never ends": (lambda peer: drip(peer, b"HTTP/1.1 100 x\r\n\r\n"), failures.ConnectTimeout),
    "headers without an end": (
        lambda peer: peer.send(b"HTTP/1.1 200 x\r\n", *[b"X-A: a\r\n" * 1000] * 50),
        failures.HeadersTooLarge,
    ),
}


@pytest.mark.parametrize(("script", "kind"), PROXIES.values(), ids=PROXIES.keys())
def test_tunnels(script: Script, kind: type[BaseException]) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        script(peer)

    limits = SHORT_LIMITS.get(kind, {})
    with (
        hostile_server(serve) as proxy,
        driven(HARNESS, "https://shop.test", proxy_host="127.0.0.1", proxy_port=proxy.port, **limits) as user,
    ):
        response = user.get("/")
        assert isinstance(response.error, kind), repr(response.error)
        assert user.last["exception"] is response.error


def blocks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * 100_000


@pytest.mark.parametrize("data", [b"x" * 20_000_000, 200], ids=["bytes", "chunks"])
def test_uploads_that_the_server_does_not_read(data: Any) -> None:
    """The buffers of the socket are full, and stay so."""

    def serve(peer: Peer) -> None:
        peer.receive_some()
        gevent.sleep(5)

    with hostile_server(serve) as server, driven(HARNESS, server.url, **SHORT_LIMITS[failures.ResponseTimeout]) as user:
        response = user.request("POST", "/", data=blocks(data) if isinstance(data, int) else data)
        assert type(response.error) is failures.ResponseTimeout, repr(response.error)
        assert user.last["exception"] is response.error


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
@pytest.mark.parametrize("data", [b"x" * 20_000_000, 200], ids=["bytes", "chunks"])
def test_uploads_that_the_server_interrupts(data: Any, end: Script) -> None:
    def serve(peer: Peer) -> None:
        if peer.number == 0:
            peer.receive_some()
            end(peer)
        else:
            responding_with(ok())(peer)

    with hostile_server(serve) as server, driven(HARNESS, server.url) as user:
        response = user.request("POST", "/", data=blocks(data) if isinstance(data, int) else data)
        assert isinstance(response.error, ConnectionError), repr(response.error)
        assert user.last["exception"] is response.error
        assert (user.get("/").content, server.connections) == (b"sound", 2)


def test_an_upload_whose_source_fails() -> None:
    """The error is raised in the task, because the scenario caused it. Half a body is not taken for a whole one."""

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    with hostile_server(responding_with(ok())) as server, driven(HARNESS, server.url) as user:
        with pytest.raises(ZeroDivisionError):
            user.request("POST", "/", data=broken())
        assert user.get("/").content == b"sound"
        assert (server.connections, server.targets) == (2, ["GET /"])


def test_users_killed_at_any_point_leave_no_connection() -> None:
    """They are killed while they connect, send, wait or read, and the kill ends their greenlets."""
    ended = 0

    def serve(peer: Peer) -> None:
        nonlocal ended
        try:
            if peer.request() is not None:
                drip(peer, b"HTTP/1.1 100 x\r\n\r\n")
        finally:
            ended += 1

    with hostile_server(serve) as server, ExitStack() as stack:
        users = [stack.enter_context(driven(HARNESS, server.url)) for _ in range(20)]
        tasks = [gevent.spawn(user.client.post, "/", data=b"x" * 1_000_000 * (i % 3)) for i, user in enumerate(users)]
        for i, task in enumerate(tasks):
            gevent.sleep(0.003 * (i % 4))
            task.kill()
        assert all(isinstance(task.value, gevent.GreenletExit) for task in tasks)
        users[0].wait_until(lambda: ended == server.connections)
