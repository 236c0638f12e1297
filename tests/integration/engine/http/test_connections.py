"""Connections are reused and closed correctly, timeouts apply, and only safe requests are retried."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import pytest
from geventhttpclient.client import HTTPClientPool

from harness.engine.request_failures import (
    ConnectionReset,
    ConnectTimeout,
    RequestInterrupted,
    ResponseTimeout,
    ResponseTooSlow,
)
from tests.support.http.certificates import Authority
from tests.support.http.echo import Echo
from tests.support.http.hostile import Peer, hostile_server, ok, responding_with
from tests.support.http.users import HARNESS, Driven, driven, is_time_out

SAFE = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]
UNSAFE = ["POST", "PATCH"]


def test_one_connection_serves_all_requests_of_a_user(user_of: Callable[..., Driven]) -> None:
    with hostile_server(responding_with(ok())) as server:
        user = user_of(server.url)
        for method in ["GET", "OPTIONS", "PUT", "DELETE", *UNSAFE] * 3:
            assert user.request(method, "/", data="x").content == b"sound"
        assert (server.connections, len(server.requests)) == (1, 18)


def test_each_user_has_its_own_connections(user_of: Callable[..., Driven]) -> None:
    with hostile_server(responding_with(ok())) as server:
        users = [user_of(server.url) for _ in range(3)]
        for user in users * 2:
            assert user.get("/").content == b"sound"
        assert server.connections == 3


def test_users_of_a_class_can_share_a_pool(user_of: Callable[..., Driven]) -> None:
    pool = HTTPClientPool(concurrency=2)
    with hostile_server(responding_with(ok())) as server:
        users = [user_of(server.url, client_pool=pool) for _ in range(3)]
        for user in users * 2:
            assert user.get("/").content == b"sound"
        assert server.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        ok(b"sound", b"Connection: close"),
        ok(b"sound", b"connection: Keep-Alive, CLOSE"),
        ok().replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_a_response_can_close_its_connection(user_of: Callable[..., Driven], raw: bytes) -> None:
    """Even if the server is slow to close."""
    with hostile_server(responding_with(raw)) as server:
        user = user_of(server.url)
        for _ in range(3):
            assert (user.get("/").content, user.last["exception"]) == (b"sound", None)
        assert server.connections == 3


def test_an_http_1_0_connection_is_kept_alive_on_request(user_of: Callable[..., Driven]) -> None:
    raw = ok(b"sound", b"Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")
    with hostile_server(responding_with(raw)) as server:
        user = user_of(server.url)
        for _ in range(3):
            assert user.get("/").content == b"sound"
        assert server.connections == 1


def test_a_request_can_close_its_connection(user_of: Callable[..., Driven]) -> None:
    """RFC 9112, 9.6: no request follows one with ``close``, even if the response does not repeat it."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok())
        peer.close()

    with hostile_server(script) as server:
        user = user_of(server.url)
        for _ in range(2):
            assert user.get("/", headers={"Connection": "close"}).content == b"sound"
            assert user.last["exception"] is None
        assert server.connections == 2


def test_greenlets_of_one_user_get_their_own_responses(user_of: Callable[..., Driven]) -> None:
    """Requests are not pipelined."""

    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            gevent.sleep(0.005)
            peer.send(ok(request.split(b" ")[1]))

    with hostile_server(script) as server:
        user = user_of(server.url, concurrency=3)

        def task() -> list[bytes]:
            jobs = [gevent.spawn(user.client.get, f"/{number}") for number in range(12)]
            return [job.get().content for job in jobs]

        assert user.call(task) == [b"/%d" % number for number in range(12)]
        assert len(user.recorded) == 12
        assert server.connections == 3  # as many as ``concurrency`` allows


@pytest.mark.parametrize("ends", ["closes", "resets"])
@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
def test_a_connection_that_was_closed_while_idle_is_not_used(
    user_of: Callable[..., Driven], method: str, ends: str
) -> None:
    """Nothing was sent on it, so any method may be sent on a new one."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(ok(b""))
            if peer.number == 0:
                peer.close() if ends == "closes" else peer.reset()
                return

    with hostile_server(script) as server:
        user = user_of(server.url)
        user.get("/first")
        gevent.sleep(0.01)
        response = user.request(method, "/second")
        assert (response.status_code, user.last["exception"]) == (200, None)
        assert server.targets == ["GET /first", f"{method} /second"]


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
@pytest.mark.parametrize("stray", [ok(b"stray"), b"garbage"])
def test_bytes_that_came_before_a_request_are_not_its_response(method: str, stray: bytes) -> None:
    """Even if the event loop has not run since: some servers send a 408 before they close an idle connection."""
    peers = []

    def script(peer: Peer) -> None:
        peers.append(peer)
        while peer.request() is not None:
            peer.send(ok(b""))

    with hostile_server(script) as server, driven(HARNESS, server.url) as user:

        def task() -> Any:
            for _ in range(2):
                user.client.get("/first")
            peers[0].send_at_once(stray)
            return user.client.request(method, "/second")

        response = user.call(task)
        assert (response.status_code, response.content, response.error) == (200, b"", None)
        assert server.connections == 2


@pytest.mark.parametrize("method", UNSAFE)
def test_servers_that_close_silently_after_each_response(user_of: Callable[..., Driven], method: str) -> None:
    """Even if the next request follows at once: it must be sent once, on a connection that works."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send_and_close(ok())

    with hostile_server(script) as server:
        user = user_of(server.url)

        def task() -> list[bytes]:
            return [user.client.request(method, "/").content for _ in range(20)]

        assert user.call(task) == [b"sound"] * 20
        assert server.connections == 20


def served_once_then_ending(end: Callable[[Peer], None]) -> Callable[[Peer], None]:
    """The first connection responds to one request and drops the next; the others work."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            if peer.number == 0 and len(peer.received) > 1:
                end(peer)
                return
            peer.send(ok(b""))

    return script


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
@pytest.mark.parametrize("method", SAFE)
def test_a_request_on_a_stale_connection_is_resent_if_that_is_safe(
    user_of: Callable[..., Driven], method: str, end: Callable[[Peer], None]
) -> None:
    """RFC 9112, 9.3.1: the server closed it while the request was on its way."""
    with hostile_server(served_once_then_ending(end)) as server:
        user = user_of(server.url)
        user.get("/first")
        response = user.request(method, "/second")
        assert (response.status_code, user.last["exception"], user.recorded) == (200, None, [])
        assert server.targets == ["GET /first", f"{method} /second", f"{method} /second"]


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
@pytest.mark.parametrize("method", UNSAFE)
def test_a_request_on_a_stale_connection_is_not_resent_if_it_may_have_effects(
    user_of: Callable[..., Driven], method: str, end: Callable[[Peer], None]
) -> None:
    """RFC 9110, 9.2.2."""
    with hostile_server(served_once_then_ending(end)) as server:
        user = user_of(server.url)
        user.get("/first")
        response = user.request(method, "/second", data="order")
        assert response.status_code == 0
        assert user.last["exception"] is response.error is not None
        assert server.targets == ["GET /first", f"{method} /second"]
        assert user.get("/third").status_code == 200


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("method", UNSAFE)
def test_a_partly_sent_request_is_not_resent(method: str, tls: bool, tmp_path: Path) -> None:
    """The server has read the headers, and may have begun to process the request."""
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b""))
        seen.append(peer.receive_some())
        peer.reset()

    certificate = Authority.new(tmp_path).issue("127.0.0.1") if tls else None
    with hostile_server(script, certificate) as server, driven(HARNESS, server.url) as user:
        user.get("/first")
        response = user.request(method, "/second", data=b"x" * 8_000_000)
        assert type(response.error) is ConnectionReset
        assert user.last["exception"] is response.error
        assert (server.connections, len(seen)) == (1, 1)


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
def test_a_request_on_a_new_connection_is_sent_once(method: str, end: Callable[[Peer], None]) -> None:
    """The server has seen it once, so it is recorded once. Locust's client sends it up to 12 times."""

    def script(peer: Peer) -> None:
        peer.request()
        end(peer)

    with hostile_server(script) as server, driven(HARNESS, server.url) as user:
        response = user.request(method, "/")
        assert response.status_code == 0
        assert user.last["exception"] is response.error is not None
        assert server.targets == [f"{method} /"]


def test_a_request_whose_response_has_begun_is_not_resent(user_of: Callable[..., Driven]) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        if peer.number:
            peer.send(ok())
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nso")

    with hostile_server(script) as server:
        user = user_of(server.url)
        user.get("/")
        assert user.last["exception"] is not None
        assert (len(server.requests), user.get("/").content) == (1, b"sound")


@pytest.mark.parametrize(("method", "times"), [("GET", 3), ("POST", 1)])
def test_max_retries(user_of: Callable[..., Driven], method: str, times: int) -> None:
    """``max_retries`` applies to timeouts, and to GET but not to POST."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.hold()

    with hostile_server(script) as server:
        user = user_of(server.url, network_timeout=0.1, max_retries=2)
        response = user.request(method, "/", data="x")
        assert (response.status_code, len(user.recorded)) == (0, 1)
        user.wait_until(lambda: len(server.requests) >= times)  # on a busy machine, it reads them later
        assert len(server.requests) == times


def test_a_retry_that_succeeds(user_of: Callable[..., Driven]) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        if peer.number == 0:
            peer.hold()
        peer.send(ok())

    with hostile_server(script) as server:
        user = user_of(server.url, network_timeout=0.2, max_retries=20)
        assert (user.get("/").content, user.last["exception"]) == (b"sound", None)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ok()[:-1]])
def test_network_timeout(user_of: Callable[..., Driven], begun: bytes) -> None:
    def script(peer: Peer) -> None:
        while peer.request() is not None:
            if peer.number == 0:
                peer.send(begun)
                peer.hold()
            peer.send(ok())

    with hostile_server(script) as server:
        user = user_of(server.url, network_timeout=0.15)
        response = user.get("/")
        recorded = user.last
        assert is_time_out(recorded["exception"]), recorded["exception"]
        assert recorded["response_time"] >= 150
        assert response.status_code == 200 or response.error is recorded["exception"]
        assert user.get_in_time("/").content == b"sound"
        assert server.connections >= 2


def test_network_timeout_applies_to_each_wait(user_of: Callable[..., Driven]) -> None:
    """Not to all waits of a connection together, nor to the whole of a slow response."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            for piece in (ok()[:20], ok()[20:-2], ok()[-2:]):
                gevent.sleep(0.6)
                peer.send(piece)

    with hostile_server(script) as server:
        user = user_of(server.url, network_timeout=1.6)
        assert (user.get("/").content, user.last["exception"]) == (b"sound", None)


def test_exchange_timeout_applies_to_a_request_and_its_redirects() -> None:
    """Even if each response begins within it."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            gevent.sleep(0.3)
            peer.send(ok(b"", b"Location: /there", status=b"302 Found") if len(peer.received) == 1 else ok())

    with hostile_server(script) as server, driven(HARNESS, server.url, exchange_timeout=0.5) as user:
        response = user.get("/")
        assert user.last["exception"] is response.error
        assert type(response.error) is ResponseTooSlow


def test_connection_timeout(user_of: Callable[..., Driven]) -> None:
    """A listening socket with a full queue accepts no connection, and sends nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        user = user_of(f"http://127.0.0.1:{address[1]}", connection_timeout=0.15)
        response = user.get("/")
        assert is_time_out(response.error), response.error
        assert user.last["response_time"] >= 150
        if user.user.__class__.__base__ is HARNESS:
            error = user.get("/", timeout=(0.05, 5)).error
            assert (type(error), error.params["limit_s"]) == (ConnectTimeout, 0.05)
        for each in waiting:
            each.close()


@pytest.mark.parametrize("host", ["http://127.0.0.1:9", "http://no-such-host.invalid", "https://127.0.0.1:9"])
def test_an_unknown_host_is_a_failure(user_of: Callable[..., Driven], host: str) -> None:
    user = user_of(host)
    response = user.get("/")
    assert (response.status_code, user.last["exception"]) == (0, response.error)
    assert isinstance(response.error, OSError)


def test_an_invalid_proxy_name_is_a_failure() -> None:
    with driven(HARNESS, "http://127.0.0.1:9", proxy_host="a..b") as user:
        response = user.get("/")
        assert user.last["exception"] is response.error
        assert isinstance(response.error, socket.gaierror)


def test_an_interrupted_user_leaves_nothing_behind(user_of: Callable[..., Driven]) -> None:
    """A greenlet killed in the middle of a response ends, and the next request of the session gets its own response."""
    with hostile_server(responding_with([ok()[:-3], b"", ok()[-3:]], ok(b"next"))) as server:
        user = user_of(server.url)

        def task() -> None:
            cut_off = gevent.spawn(user.client.get, "/first")
            while not server.requests:
                gevent.sleep(0)
            cut_off.kill()
            assert isinstance(cut_off.value, gevent.GreenletExit)
            assert user.client.get("/second").content == b"next"

        user.call(task)
        assert server.connections == 2


@pytest.mark.parametrize("cut_by", [gevent.GreenletExit, gevent.Timeout])
def test_an_interrupted_request_is_recorded(cut_by: type[BaseException]) -> None:
    """The server has seen it. Locust does not record it."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.hold()

    with hostile_server(script) as server, driven(HARNESS, server.url) as user:

        def task() -> None:
            cut_off = gevent.spawn(user.client.post, "/", name="order", context={"a": 1})
            while not server.requests:
                gevent.sleep(0)
            cut_off.kill(cut_by)

        user.call(task)
        recorded = user.last
        kind = RequestInterrupted if cut_by is gevent.GreenletExit else cut_by
        assert isinstance(recorded["exception"], kind)
        assert (recorded["request_type"], recorded["name"], recorded["context"]) == ("POST", "order", {"a": 1})
        assert recorded["response_time"] > 0


def test_a_timeout_of_the_scenario_reaches_the_scenario(user_of: Callable[..., Driven]) -> None:
    """After ``with gevent.Timeout(…)`` around a request, recorded or raised, the session still works."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            if peer.number == 0:
                peer.hold()
            peer.send(ok())

    with hostile_server(script) as server:
        user = user_of(server.url)

        def task() -> None:
            with suppress(gevent.Timeout), gevent.Timeout(0.05):
                user.client.get("/first")
            assert user.client.get("/second").content == b"sound"

        user.call(task)
        assert server.connections == 2


def test_an_early_response_to_a_large_body(user_of: Callable[..., Driven]) -> None:
    """A server may respond and close before it has read all of the request (RFC 9112, 9.5)."""

    def script(peer: Peer) -> None:
        peer.receive_some()
        peer.send(ok(b"too large", b"Connection: close", status=b"413 Too Large"))
        peer.finish_sending()

    with hostile_server(script) as server:
        user = user_of(server.url)
        response = user.call(lambda: user.client.post("/", data=b"x" * 20_000_000))
        assert user.last["exception"] is not None
        assert response.status_code in (413, 0)
        assert len(server.requests) == 0


def test_large_bodies_go_both_ways(user: Driven) -> None:
    body = bytes(range(256)) * 8_000
    response = user.call(lambda: user.client.post("/echo", data=body))
    assert response.json()["body"].encode("latin-1") == body


def test_a_body_larger_than_all_buffers(user_of: Callable[..., Driven]) -> None:
    """It is sent as fast as the server reads it."""
    body = bytes(range(256)) * 40_000
    with hostile_server(responding_with(ok())) as server:
        assert user_of(server.url).request("PUT", "/", data=body).content == b"sound"
        assert server.requests[0].partition(b"\r\n\r\n")[2] == body


def test_host_is_the_address_and_port_of_the_server(user_of: Callable[..., Driven]) -> None:
    with hostile_server(responding_with(ok())) as server:
        user_of(server.url).get("/", headers={"host": "shop.test"})
        user_of(server.url.replace("127.0.0.1", "LOCALHOST")).get("/")
    hosts = [re.findall(rb"(?i)\r\nhost: *([^\r]*)", request) for request in server.requests]
    assert hosts == [[b"shop.test"], [b"localhost:%d" % server.port]]


@pytest.mark.parametrize("name", ["network_timeout", "connection_timeout"])
def test_no_timeout(user_of: Callable[..., Driven], echo: Echo, name: str) -> None:
    assert user_of(echo.url, **{name: None}).get("/status/200").content == b"status 200"


@pytest.mark.parametrize("timeout", [0.15, (5, 0.15), (None, 0.15)])
def test_the_timeout_of_a_call(timeout: Any) -> None:
    """As in ``requests``. FastHttpUser adds it to the query."""

    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            if b"slow" not in request:
                peer.send(ok())

    with hostile_server(script) as server, driven(HARNESS, server.url, exchange_timeout=None) as user:
        assert user.get("/", timeout=None).content == b"sound"
        error = user.get("/slow", timeout=timeout).error
        assert isinstance(error, ResponseTimeout)
        assert (error.kind, error.params["limit_s"], error.original) == ("response-timeout", 0.15, error)
        assert user.last["exception"] is error
        assert user.get("/").content == b"sound"
