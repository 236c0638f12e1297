"""Rate limits apply to everything that is sent, and waiting for them does not count against the target."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

from harness.engine.host_guard import Guard
from harness.engine.locust.patches import apply_rate_limits
from harness.engine.pacing.rate_limiter import RateLimiter
from harness.plan.hosts import AllowedHosts
from harness.plan.model.target import AllowedHost
from tests.support.http.echo import Echo
from tests.support.http.hostile import Peer, hostile_server, ok
from tests.support.http.users import HARNESS, driven

WAIT_S = 1000.0
"""Far longer than anything takes on the slowest machine, so that a wait in a response time shows."""


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Guard:
    """A rate limit of one request per :data:`WAIT_S`, on a clock that waiting moves forward."""
    ahead_s = 0.0

    def now_s() -> float:
        return perf_counter() + ahead_s

    def sleep(seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    for module in ("session", "transport", "http11"):
        monkeypatch.setattr(f"harness.engine.http.{module}.perf_counter", now_s)
    monkeypatch.setattr("harness.engine.pacing.rate_limiter.SPAN_S", WAIT_S)
    guard = Guard(AllowedHosts([AllowedHost(host="localhost", max_rate=1)]))
    guard.rate_limiters["localhost"] = RateLimiter(1, now_s, sleep)
    monkeypatch.setattr("harness.engine.host_guard._process_guard", guard)
    return guard


def test_waiting_to_follow_a_redirect_does_not_count_against_the_target(guard: Guard, echo: Echo) -> None:
    with driven(HARNESS, echo.url, exchange_timeout=WAIT_S * 0.9) as user:
        response = user.get("/redirect/302?to=/redirect/302?to=/echo")
        assert (response.status_code, user.last["exception"]) == (200, None)
    assert guard.take_held() == 2


def test_a_resent_request_waits_again_without_counting_against_the_target(guard: Guard) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            if peer.number == 0 and len(peer.received) == 2:
                peer.close()
                return
            peer.send(to_the_end if b" /begin " in request else ok())

    with hostile_server(script) as server, driven(HARNESS, server.url, exchange_timeout=WAIT_S * 0.9) as user:
        for path in ("/end", "/begin"):
            response = user.get(path)
            assert (response.content, response.error) == (b"sound", None)
        assert (server.connections, server.targets) == (2, ["GET /end", "GET /begin", "GET /begin", "GET /end"])
    assert guard.take_held() == 3


def test_a_retried_request_waits_again_without_counting_against_the_target(guard: Guard) -> None:
    def script(peer: Peer) -> None:
        if peer.number == 0:
            peer.hold()
        while (request := peer.request()) is not None:
            peer.send(to_the_end if b" /begin " in request else ok())

    limits = {"network_timeout": 0.2, "exchange_timeout": WAIT_S * 0.9, "max_retries": 5}
    with hostile_server(script) as server, driven(HARNESS, server.url, **limits) as user:
        response = user.get("/begin")
        assert (response.content, response.error) == (b"sound", None)
    assert guard.take_held() >= 2


to_the_end = b"HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("session", [FastHttpSession, HttpSession])
@pytest.mark.parametrize("path", ["/login?next=http://x/", "HTTP://127.0.0.1/", "@127.0.0.1/"])
def test_requests_of_locusts_client_are_limited_by_their_real_host(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, session: Any, path: str
) -> None:
    sent: list[str] = []
    for each in (FastHttpSession, HttpSession):
        monkeypatch.setattr(each, "request", lambda _, method, url: sent.append(f"{method} {url}"))
    apply_rate_limits(guard)
    client = object.__new__(session)
    client.base_url = "http://x.test" if path.startswith("@") else "http://localhost:80"
    for _ in range(3):
        client.request("GET", path)
    assert guard.take_held() == 2  # the first need not wait
    client.base_url = "http://x.test"
    client.request("GET", "/?at=http://localhost")
    assert guard.take_held() == 0
    assert sent == [*[f"GET {path}"] * 3, "GET /?at=http://localhost"]
