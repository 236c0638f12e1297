"""Requests that are traced carry a ``traceparent``, whatever their kind; the scenario's own one goes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.engine.http.tracing import RequestSampler
from harness.record.traced_requests import trace_of
from tests.support.http.echo import Echo
from tests.support.http.users import HARNESS, LOCUST, Driven, driven

SENT: dict[str, dict[str, Any]] = {
    "plain": {},
    "with a query": {"params": {"a": "b"}},
    "with headers": {"headers": {"X-Own": "1"}},
    "with a body": {"method": "POST", "json": {"a": 1}},
    "in chunks": {"method": "PUT", "data": iter([b"in ", b"chunks"])},
    "caught": {"catch_response": True},
}


@pytest.fixture
def tracing_user(echo: Echo) -> Iterator[Driven]:
    """A user all of whose requests are traced."""
    with driven(HARNESS, echo.url) as user:
        user.client._request_sampler = RequestSampler()
        user.client._request_sampler.change(1.0)
        yield user


def header(response: Any) -> str | None:
    return dict(response.json()["headers"]).get("traceparent")


@pytest.mark.parametrize("name", SENT)
def test_each_kind_of_request_is_traced(tracing_user: Driven, name: str) -> None:
    options: dict[str, Any] = {"method": "GET", **SENT[name]}
    response = tracing_user.request(url="/echo", **options)
    if name == "caught":
        tracing_user.call(lambda: response.__exit__(None, None, None))
    assert trace_of(header(response)) is not None
    assert tracing_user.last["context"] == {"traceparent": header(response)}


def test_each_request_has_a_trace_of_its_own_and_keeps_its_cookies(tracing_user: Driven) -> None:
    tracing_user.get("/cookies?set=a=b")
    first, second = (tracing_user.get("/echo") for _ in range(2))
    assert trace_of(header(first)) != trace_of(header(second))
    assert dict(first.json()["headers"])["cookie"] == "a=b"


def test_a_redirect_belongs_to_the_trace_of_its_request(tracing_user: Driven) -> None:
    response = tracing_user.get("/redirect/302?to=/echo")
    assert tracing_user.last["context"] == {"traceparent": header(response)}


def test_a_header_of_the_scenario_stays(tracing_user: Driven) -> None:
    assert header(tracing_user.get("/echo", headers={"traceparent": "my own"})) == "my own"
    assert tracing_user.last["context"] == {}


def test_no_request_is_traced_unless_traces_are_on(echo: Echo) -> None:
    with driven(HARNESS, echo.url) as user:
        assert header(user.get("/echo")) is None
        assert user.last["context"] == {}


@pytest.mark.parametrize("kind", ["FastHttpUser", "HttpUser"])
def test_the_clients_of_locust_are_traced_too(echo: Echo, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    from locust import HttpUser
    from locust.clients import HttpSession
    from locust.contrib.fasthttp import FastHttpSession

    from harness.engine.locust.traced_clients import trace_locust_clients

    for session in (HttpSession, FastHttpSession):
        monkeypatch.setattr(session, "request", session.request)  # put back afterwards
    sampler = RequestSampler()
    trace_locust_clients(sampler)
    with driven(LOCUST if kind == "FastHttpUser" else HttpUser, echo.url) as user:
        assert header(user.get("/echo")) is None
        assert user.last["context"] == {}
        sampler.change(1.0)
        response = user.get("/echo", headers={"X-Own": "1"}, context={"own": 1})
        assert trace_of(header(response)) is not None
        assert dict(response.json()["headers"])["x-own"] == "1"
        assert user.last["context"] == {"own": 1, "traceparent": header(response)}
        assert header(user.get("/echo", headers={"Traceparent": "my own"})) == "my own"
