"""What only ``harness.HttpUser`` does: direct recording, recording interrupted requests, limits on whole requests."""

from __future__ import annotations

import time
from typing import Any

import gevent
import pytest
from gevent.event import Event
from locust.exception import StopUser

from harness.engine.request_failures import INTERRUPTED
from tests.support.http.hostile import Peer, hostile_server, ok, responding_with
from tests.support.http.users import HARNESS, driven


class Recorder:
    """Like that of a load worker: a listener of the event, and ``environment.harness_recorder``."""

    def __init__(self) -> None:
        self.recorded: list[tuple[Any, ...]] = []
        self.heard: list[str] = []

    def record(self, *request: Any) -> None:
        self.recorded.append(request)

    def on_request(self, name: str, **_: Any) -> None:
        self.heard.append(name)


def test_the_recorder_is_called_directly_if_it_is_the_only_listener() -> None:
    with hostile_server(responding_with(ok(b"abc"))) as server, driven(HARNESS, server.url) as user:
        environment, recorder = user.user.environment, Recorder()
        environment.events.request._handlers[:] = [recorder.on_request]
        environment.harness_recorder = recorder
        begun_s = time.perf_counter()
        response = user.get("/straight", name="named", context={"a": 1})
        with user.client.get("/judged", catch_response=True) as marked:
            marked.failure("no")
        ended_s = time.perf_counter()
        assert recorder.heard == []
        first, second = recorder.recorded
        assert (first[:2], first[4:]) == (("GET", "named"), (3, None, response, {"a": 1}, f"{server.url}/straight"))
        assert begun_s < first[2] < first[3] < second[2] < second[3] < ended_s
        assert str(second[5]) == "no"

        others: list[str] = []
        environment.events.request.add_listener(lambda name, **_: others.append(name))
        user.get("/event")
        assert (recorder.heard, others, len(recorder.recorded)) == (["/event"], ["/event"], 2)


@pytest.mark.parametrize("in_block", [False, True])
def test_an_interrupted_request_is_recorded(in_block: bool) -> None:
    with (
        hostile_server(responding_with(ok() if in_block else [ok()[:-3]])) as server,
        driven(HARNESS, server.url) as user,
    ):

        def marked() -> None:
            with user.client.get("/", catch_response=True):
                gevent.sleep(60)

        def task() -> None:
            cut_off = gevent.spawn(marked if in_block else lambda: user.client.get("/"))
            gevent.sleep(0.1)
            cut_off.kill()

        user.call(task)
        assert str(user.last["exception"]) == INTERRUPTED


def test_a_user_that_ends_closes_its_connections() -> None:
    closed = Event()

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(ok())
        closed.set()

    def once(user: Any) -> None:
        user.client.get("/")
        user.client = "of another protocol"
        raise StopUser

    with hostile_server(script) as server, driven(HARNESS, server.url, tasks=[once]) as user:
        user.call(user.user.run)
        assert server.connections == 1
        assert user.call(lambda: closed.wait(10))


def test_each_wait_has_its_full_timeout() -> None:
    """All waits of a connection share a timer."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            gevent.sleep(0.35)
            peer.send(ok())

    with hostile_server(script) as server, driven(HARNESS, server.url, network_timeout=2.0) as user:
        for _ in range(7):
            assert user.get("/").error is None


def test_exchange_timeout_includes_redirects() -> None:
    def script(peer: Peer) -> None:
        while peer.request() is not None:
            gevent.sleep(0.1)
            peer.send(ok(b"", b"Location: /again", status=b"302 Found"))

    with hostile_server(script) as server, driven(HARNESS, server.url, exchange_timeout=0.5) as user:
        error = user.get("/").error
        assert (error.kind, error.params["limit_s"]) == ("response-too-slow", 0.5)
        assert len(server.requests) < 7


def test_exchange_timeout_includes_uploads() -> None:
    def script(peer: Peer) -> None:
        while peer.receive_some():
            gevent.sleep(0.05)

    with hostile_server(script) as server, driven(HARNESS, server.url, exchange_timeout=0.5) as user:
        for body in (b"x" * 50_000_000, iter([b"x" * 1_000_000] * 50)):
            assert user.request("POST", "/", data=body).error.kind == "response-too-slow"


def test_a_chunked_body_is_complete_when_it_is_resent() -> None:
    def script(peer: Peer) -> None:
        if peer.number == 0:
            peer.request()
            peer.send(ok())
            peer.request()
            return  # closed while a request was on its way
        while peer.request() is not None:
            peer.send(ok())

    with hostile_server(script) as server, driven(HARNESS, server.url) as user:

        def task() -> int:
            user.client.get("/")
            response = user.client.put("/", data="body", headers={"Transfer-Encoding": "chunked"})
            return int(response.status_code)

        assert user.call(task) == 200
        bodies = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
        assert bodies == [b"", b"4\r\nbody\r\n0\r\n\r\n", b"4\r\nbody\r\n0\r\n\r\n"]


@pytest.mark.parametrize("name", [5, ["a", "list"], b"bytes"])
def test_a_name_of_another_type_is_recorded_as_text(name: Any) -> None:
    with driven(HARNESS, "http://127.0.0.1:9") as user:
        user.get("/", name=name)
        assert user.last["name"] == str(name)
