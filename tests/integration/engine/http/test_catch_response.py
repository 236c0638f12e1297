"""Requests whose success the scenario decides (``catch_response``, ``rest``, ``rest_``), and names of requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from locust.exception import CatchResponseError, LocustError, RescheduleTask, ResponseError

from tests.support.http.echo import Echo
from tests.support.http.hostile import hostile_server, responding_with
from tests.support.http.users import HARNESS, Driven, driven


def record_block(user: Driven, block: Callable[[Any], None], path: str = "/status/200") -> dict[str, Any]:
    """The request recorded for a ``with`` block that calls ``block(response)``. It must be recorded after the block."""

    def task() -> None:
        with user.client.get(path, catch_response=True) as response:
            assert user.recorded == []
            block(response)

    user.call(task)
    return user.last


def do_nothing(_: Any) -> None:
    """A block that does not mark the response."""


def test_without_a_mark_the_status_decides(user: Driven) -> None:
    assert record_block(user, do_nothing)["exception"] is None
    assert "code=500" in str(record_block(user, do_nothing, "/status/500")["exception"])


def test_success_with_an_error_status(user: Driven) -> None:
    recorded = record_block(user, lambda response: response.success(), "/status/404")
    assert (recorded["exception"], recorded["response"].status_code) == (None, 404)


def test_failure_with_a_good_status(user: Driven) -> None:
    failure = record_block(user, lambda response: response.failure("sold out"))["exception"]
    assert (type(failure), str(failure)) == (CatchResponseError, "sold out")
    error = KeyError("x")
    assert record_block(user, lambda response: response.failure(error))["exception"] is error


def test_the_last_mark_counts(user: Driven) -> None:
    def block(response: Any) -> None:
        response.failure("no")
        response.success()

    assert record_block(user, block)["exception"] is None


def test_a_response_error_raised_in_the_block_fails_the_request(user: Driven) -> None:
    error = ResponseError("bad basket")

    def block(_: Any) -> None:
        raise error

    assert record_block(user, block)["exception"] is error


def test_raise_for_status_in_the_block(user: Driven) -> None:
    def block(response: Any) -> None:
        with pytest.raises(Exception, match="code=500"):
            response.raise_for_status()
        response.success()
        response.raise_for_status()

    assert record_block(user, block, "/status/500")["exception"] is None


def test_raise_for_status_after_failure(user: Driven) -> None:
    def block(response: Any) -> None:
        response.failure("sold out")
        with pytest.raises(CatchResponseError, match="sold out"):
            response.raise_for_status()

    assert str(record_block(user, block)["exception"]) == "sold out"


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), RescheduleTask()])
def test_other_exceptions_of_the_block_end_the_task(user: Driven, error: Exception) -> None:
    def block(_: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        record_block(user, block)


def test_an_exception_after_success_does_not_fail_the_request(user: Driven) -> None:
    def block(response: Any) -> None:
        response.failure("sold out")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record_block(user, block)
    assert str(user.last["exception"]) == "sold out"


def test_a_failed_request_can_be_marked(user_of: Callable[..., Driven]) -> None:
    user = user_of("http://127.0.0.1:9")
    assert isinstance(record_block(user, do_nothing)["exception"], ConnectionRefusedError)
    assert record_block(user, lambda response: response.success())["exception"] is None

    def block(response: Any) -> None:
        assert (response.status_code, response.content, response.text) == (0, None, None)
        response.failure(f"is it up? {response.error}")

    assert str(record_block(user, block)["exception"]).startswith("is it up?")


def test_a_block_without_catch_response_cannot_mark(user: Driven) -> None:
    def task() -> None:
        with user.client.get("/echo") as response:
            assert len(user.recorded) == 1
            with pytest.raises(LocustError, match="catch_response=True"):
                response.failure("no")

    user.call(task)
    assert user.last["exception"] is None


def test_marking_needs_a_with_block(user: Driven) -> None:
    response = user.get("/echo", catch_response=True)
    for block in (response.success, lambda: response.failure("no")):
        with pytest.raises(LocustError, match="with-block"):
            block()


@pytest.mark.parametrize("path", ["/status/200", "/status/500"])
@pytest.mark.parametrize("stream", [False, True])
def test_without_a_block_it_is_recorded_when_it_is_dropped(echo: Echo, path: str, stream: bool) -> None:
    """Locust never records it."""
    with driven(HARNESS, echo.url) as user:

        def task() -> None:
            response = user.client.get(path, catch_response=True, stream=stream)
            assert (user.recorded, response.status_code) == ([], int(path[-3:]))

        user.call(task)
        assert user.last["exception"] is None if path == "/status/200" else "code=500" in str(user.last["exception"])


def test_the_response_in_the_block_is_a_full_response(user: Driven, echo: Echo) -> None:
    def block(response: Any) -> None:
        assert (response.status_code, response.ok, response.text) == (200, True, "status 200")
        assert response.headers["content-length"] == "10"
        assert response.url == response.request.url == f"{echo.url}/status/200"

    record_block(user, block)


def test_elapsed_in_the_block(echo: Echo) -> None:
    """In Locust it raises ``AttributeError``."""
    with driven(HARNESS, echo.url) as user:
        record_block(user, lambda response: response.elapsed.total_seconds())


def rest(user: Driven, act: Callable[[Any], None], method: str = "GET", url: str = "/echo", **options: Any) -> Any:
    """The request recorded for a ``rest`` block."""

    def task() -> None:
        with user.user.rest(method, url, **options) as response:
            act(response)

    user.call(task)
    return user.last


def test_rest_parses_json_and_asks_for_it(user: Driven) -> None:
    def act(response: Any) -> None:
        result = dict(response.js["headers"])
        assert (result["content-type"], result["accept"]) == ("application/json", "application/json")
        assert response.js["body"] == '{"a": 1}'

    assert rest(user, act, "POST", json={"a": 1})["exception"] is None


def test_rest_keeps_custom_headers(user: Driven) -> None:
    def act(response: Any) -> None:
        assert dict(response.js["headers"])["accept"] == "text/x"

    assert rest(user, act, headers={"accept": "text/x"})["exception"] is None


def test_rest_fails_if_the_body_is_not_json(user: Driven) -> None:
    def act(response: Any) -> None:
        assert response.js is None

    failure = str(rest(user, act, url="/status/200")["exception"])
    assert failure.startswith("Could not parse response as JSON. status 200, response code 200")


def test_rest_of_an_empty_body(user: Driven) -> None:
    def act(response: Any) -> None:
        assert (response.js, response.status_code) == (None, 204)

    assert rest(user, act, url="/status/204")["exception"] is None


def test_rest_of_a_request_that_failed(user_of: Callable[..., Driven]) -> None:
    def act(response: Any) -> None:
        assert (response.js, response.status_code) == (None, 0)

    assert "refused" in str(rest(user_of("http://127.0.0.1:9"), act)["exception"])


@pytest.mark.parametrize(
    ("error", "error_text"),
    [
        (AssertionError("too few"), "too few"),
        (AssertionError("too few,"), "too few, response was {"),
        (AssertionError(), "Assertion failed"),
        (KeyError("basket"), "KeyError: 'basket' at "),
    ],
)
def test_rest_records_exceptions_of_its_block_as_failures(user: Driven, error: Exception, error_text: str) -> None:
    def act(_: Any) -> None:
        raise error

    assert str(rest(user, act)["exception"]).startswith(error_text)


def test_rest_underscore_bypasses_caches_under_one_name(user: Driven) -> None:
    targets: list[str] = []

    def task() -> None:
        for url in ("/echo", "/echo?a=1"):
            with user.user.rest_("GET", url) as response:
                targets.append(response.js["target"])

    user.call(task)
    assert [target.rsplit("=", 1)[0] for target in targets] == ["/echo?_", "/echo?a=1&_"]
    assert [recorded["name"] for recorded in user.recorded] == ["/echo?_=...", "/echo?a=1&_=..."]


def test_requests_are_grouped_by_name(user: Driven) -> None:
    def task() -> None:
        user.client.get("/echo?id=1", name="/echo?id")
        with user.client.rename_request("group"):
            user.client.get("/echo?id=2")
            user.client.get("/echo?id=3", name="named")
        user.client.request_name = "set"
        user.client.get("/echo?id=4")
        user.client.request_name = None
        user.client.get("/echo?id=5")

    user.call(task)
    assert [recorded["name"] for recorded in user.recorded] == ["/echo?id", "group", "named", "set", "/echo?id=5"]


def test_the_request_event_is_complete(user: Driven, echo: Echo) -> None:
    context = {"basket": 7}
    response = user.get("/redirect/302?to=/status/201", name="moved", context=context)
    recorded = user.last
    assert set(recorded) == {
        "request_type",
        "name",
        "response_time",
        "response_length",
        "response",
        "context",
        "exception",
        "start_time",
        "url",
    }
    assert (recorded["request_type"], recorded["name"]) == ("GET", "moved")
    assert recorded["response"] is response
    assert recorded["response_length"] == len(b"status 201")
    assert recorded["exception"] is None
    assert (recorded["context"], context) == ({"basket": 7}, {"basket": 7})
    assert 0 < recorded["response_time"] < 10_000
    assert 0 <= recorded["response"].elapsed.total_seconds() * 1000 <= recorded["response_time"]
    assert isinstance(recorded["start_time"], float)
    # The URL that was requested, not the one it was redirected to.
    assert recorded["url"] == f"{echo.url}/redirect/302?to=/status/201"


def test_the_context_includes_that_of_the_user(user: Driven) -> None:
    user.user.context = lambda: {"user": 1, "basket": 0}
    user.get("/echo", context={"basket": 7})
    assert user.last["context"] == {"user": 1, "basket": 7}
    user.get("/echo")
    assert user.last["context"] == {"user": 1, "basket": 0}


def test_a_failed_request_has_the_same_event(user_of: Callable[..., Driven]) -> None:
    user = user_of("http://127.0.0.1:9")
    response = user.get("/a", name="named", context={"a": 1})
    recorded = user.last
    assert (recorded["request_type"], recorded["name"], recorded["url"]) == ("GET", "named", "http://127.0.0.1:9/a")
    assert (recorded["response_length"], recorded["context"], recorded["response"]) == (0, {"a": 1}, response)
    assert recorded["response_time"] > 0
    assert isinstance(recorded["exception"], ConnectionRefusedError)


def test_a_listener_that_raises_does_not_end_the_user(user: Driven, caplog: pytest.LogCaptureFixture) -> None:
    def raises(**_: Any) -> None:
        raise ZeroDivisionError("in the listener")

    user.user.environment.events.request.add_listener(raises)
    assert user.get("/echo").status_code == 200
    assert "in the listener" in caplog.text


def test_time_in_the_block_does_not_count(user_of: Callable[..., Driven]) -> None:
    """Even if the block does not use it."""
    block_s = 0.1
    begun_s = []

    def take_time(_: Any) -> None:
        begun_s.append(time.time())
        gevent.sleep(block_s)

    with hostile_server(responding_with(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as server:
        recorded = record_block(user_of(server.url), take_time)
    # The wall clock and the clock for durations may differ slightly.
    assert recorded["start_time"] + recorded["response_time"] / 1000 < begun_s[0] + block_s / 2
