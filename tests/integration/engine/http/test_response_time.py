"""A response ends when it reaches this machine, however late the worker reads it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.hub import Waiter

from harness.engine.socket_poller import poller
from tests.support.children import free_port
from tests.support.http.certificates import Authority
from tests.support.http.echo import Echo
from tests.support.http.nginx import start_nginx
from tests.support.http.users import HARNESS, Driven, driven

BUSY_S = 1.0


def is_not_in(response_time_s: Callable[[], float]) -> bool:
    """Whether :data:`BUSY_S` is no part of a response time. Where others have the cores, the server itself is slow."""
    return any(0 < response_time_s() < BUSY_S / 2 for _ in range(5))


def busy_while_it_is_answered(user: Driven, url: str, **options: Any) -> Any:
    """GET ``url``. Once the request has been sent, block the event loop for :data:`BUSY_S`."""
    user.get(url)  # connects

    def ask() -> Any:
        gevent.spawn(time.sleep, BUSY_S)
        begun_s = time.perf_counter()
        response = user.client.get(url, **options)
        assert time.perf_counter() - begun_s >= BUSY_S
        return response

    return user.call(ask)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_busy_worker_does_not_delay_the_end_of_a_response(echo: Echo, stream: bool) -> None:
    def response_time_s() -> float:
        response = busy_while_it_is_answered(user, "/echo", stream=stream)
        assert response.content  # a stream is recorded when its body has ended
        return max(float(response.elapsed.total_seconds()), float(user.last["response_time"]) / 1000)

    with driven(HARNESS, echo.url) as user:
        assert is_not_in(response_time_s)


def test_a_busy_worker_does_not_delay_it_with_catch_response(echo: Echo) -> None:
    def response_time_s() -> float:
        with busy_while_it_is_answered(user, "/echo", catch_response=True) as response:
            response.success()
        return float(user.last["response_time"]) / 1000

    with driven(HARNESS, echo.url) as user:
        assert is_not_in(response_time_s)


def test_the_time_begins_when_the_request_is_sent_together_with_others(echo: Echo) -> None:
    """Users that run before it is sent are no part of it."""

    def response_time_s() -> float:
        begin: Waiter[None] = Waiter()

        def send_after_others() -> None:
            with poller():
                begin.switch(None)
                time.sleep(BUSY_S)

        def ask() -> Any:
            gevent.get_hub().loop.run_callback(send_after_others)
            begin.get()
            return user.client.get("/echo")

        response = user.call(ask)
        return max(float(response.elapsed.total_seconds()), float(user.last["response_time"]) / 1000)

    with driven(HARNESS, echo.url) as user:
        user.get("/echo")
        assert is_not_in(response_time_s)


def test_a_busy_worker_does_not_delay_it_over_tls(tmp_path: Path) -> None:
    def response_time_s() -> float:
        busy_while_it_is_answered(user, "/")
        return float(user.last["response_time"]) / 1000

    certificate = Authority.new(tmp_path).issue("localhost")
    port = free_port()
    server = f"""server {{
      listen 127.0.0.1:{port} ssl;
      ssl_certificate {certificate};
      ssl_certificate_key {certificate};
      location / {{ return 200 "sound"; }}
    }}"""
    with start_nginx(tmp_path, server, port), driven(HARNESS, f"https://127.0.0.1:{port}") as user:
        assert is_not_in(response_time_s)
