"""Conditions as toxics of a Toxiproxy: any process sets, replaces and removes them, and keeps other toxics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from harness.proxies.conditions import Conditions
from harness.proxies.toxiproxy import ToxiproxyProxy, ask_toxiproxy, find_toxiproxy, remove_toxiproxy
from tests.support.children import free_port
from tests.support.errors import harness_error
from tests.support.relay import relay
from tests.support.toxiproxy import SERVERS, start_toxiproxy

UPSTREAM = "127.0.0.1:5432"


@pytest.fixture(scope="module", params=SERVERS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with start_toxiproxy(request.param) as started:
        yield started


@pytest.fixture
def proxy(url: str) -> Iterator[ToxiproxyProxy]:
    made, is_new = find_toxiproxy(url, "db", UPSTREAM, "127.0.0.1:0")
    assert is_new
    yield made
    remove_toxiproxy(made)


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """The URL of a server that responds to every request with ``body``."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815  (http.server's names)

    with serving(Handler) as url:
        yield url


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    handler.log_message = lambda *_: None  # type: ignore[method-assign]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def toxics(proxy: ToxiproxyProxy) -> dict[tuple[str, str], dict[str, Any]]:
    found = ask_toxiproxy(proxy.url, "GET", f"/proxies/{proxy.name}/toxics")
    return {(toxic["type"], toxic["stream"]): toxic for toxic in found}


def is_enabled(proxy: ToxiproxyProxy) -> bool:
    return bool(ask_toxiproxy(proxy.url, "GET", f"/proxies/{proxy.name}")["enabled"])


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        (
            Conditions(latency_s=0.2, jitter_s=0.05),
            {("latency", "downstream"): {"latency": 200, "jitter": 50}},
        ),
        (
            Conditions(bytes_per_s=100_000),
            {("bandwidth", "upstream"): {"rate": 100}, ("bandwidth", "downstream"): {"rate": 100}},
        ),
        (Conditions(reset_after=5000), {("limit_data", "downstream"): {"bytes": 5000}}),
        (
            Conditions(reset_after=0),
            {("reset_peer", "upstream"): {"timeout": 0}, ("reset_peer", "downstream"): {"timeout": 0}},
        ),
        (
            Conditions(blackhole=True),
            {("timeout", "upstream"): {"timeout": 0}, ("timeout", "downstream"): {"timeout": 0}},
        ),
    ],
)
def test_conditions_are_toxics(proxy: ToxiproxyProxy, conditions: Conditions, wanted: dict[Any, Any]) -> None:
    proxy.meet(conditions)
    assert {key: toxic["attributes"] for key, toxic in toxics(proxy).items()} == wanted
    ToxiproxyProxy.model_validate(proxy.model_dump()).clear()  # as another process does
    assert toxics(proxy) == {}
    assert is_enabled(proxy)


def test_a_share_is_the_toxicity(proxy: ToxiproxyProxy) -> None:
    proxy.meet(Conditions(latency_s=1, share=0.25))
    assert toxics(proxy)["latency", "downstream"]["toxicity"] == 0.25
    proxy.meet(Conditions(refuse=True, share=0.5))
    assert {toxic["toxicity"] for toxic in toxics(proxy).values()} == {0.5}
    assert is_enabled(proxy)


def test_refuse_disables_the_proxy_until_it_is_cleared(proxy: ToxiproxyProxy) -> None:
    proxy.meet(Conditions(refuse=True))
    assert not is_enabled(proxy)
    proxy.clear()
    assert is_enabled(proxy)


@pytest.mark.parametrize("conditions", [Conditions(latency_s=1), Conditions(refuse=True), Conditions(blackhole=True)])
def test_conditions_that_somebody_else_has_ended_are_noticed(proxy: ToxiproxyProxy, conditions: Conditions) -> None:
    proxy.meet(conditions)
    proxy.require(conditions)
    proxy.clear()
    with harness_error("toxiproxy-reset"):
        proxy.require(conditions)


def test_toxics_of_others_stay(proxy: ToxiproxyProxy) -> None:
    theirs = {"name": "mine", "type": "slicer", "stream": "upstream", "toxicity": 1, "attributes": {"average_size": 10}}
    ask_toxiproxy(proxy.url, "POST", f"/proxies/{proxy.name}/toxics", theirs)
    proxy.meet(Conditions(latency_s=1))
    proxy.clear()
    assert [toxic["name"] for toxic in toxics(proxy).values()] == ["mine"]


@pytest.mark.parametrize("conditions", [Conditions(loss=0.1), Conditions(refuse=True, latency_s=1)])
def test_what_no_toxic_does_is_refused(proxy: ToxiproxyProxy, conditions: Conditions) -> None:
    with harness_error("toxiproxy-cannot"):
        proxy.check(conditions)


@pytest.mark.parametrize("listen", [":0", "0.0.0.0:0", "[::]:0"])
def test_a_proxy_on_all_addresses_is_reached_on_the_host_of_its_toxiproxy(url: str, listen: str) -> None:
    made, _ = find_toxiproxy(url.replace("127.0.0.1", "localhost"), "everywhere", UPSTREAM, listen)
    remove_toxiproxy(made)
    assert made.host == "localhost"


def test_an_existing_proxy_is_used_unchanged(proxy: ToxiproxyProxy) -> None:
    assert find_toxiproxy(proxy.url, "db", None, "127.0.0.1:0") == (proxy, False)
    assert find_toxiproxy(proxy.url, "db", UPSTREAM, "127.0.0.1:0") == (proxy, False)
    with harness_error("toxiproxy-other-upstream"):
        find_toxiproxy(proxy.url, "db", "127.0.0.1:1", "127.0.0.1:0")
    with harness_error("toxiproxy-has-no-proxy"):
        find_toxiproxy(proxy.url, "cache", None, "127.0.0.1:0")


def test_a_missing_toxiproxy_is_reported_and_needs_no_undoing() -> None:
    gone = ToxiproxyProxy(url=f"http://127.0.0.1:{free_port()}", name="db", host="127.0.0.1", port=1)
    gone.clear()
    with harness_error("toxiproxy-unreachable"):
        gone.meet(Conditions(latency_s=1))


def test_a_proxy_that_was_removed_needs_no_undoing(url: str) -> None:
    made, _ = find_toxiproxy(url, "gone", UPSTREAM, "127.0.0.1:0")
    remove_toxiproxy(made)
    made.clear()
    with harness_error("toxiproxy-refused"):
        made.meet(Conditions(latency_s=1))


def test_a_toxic_that_was_removed_meanwhile_keeps_no_other_from_being_removed() -> None:
    toxics, removed = [{"name": "harness-gone"}, {"name": "harness-there"}], []

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(404 if self.path.endswith("gone") else 200)
            self.end_headers()
            if self.command == "DELETE":
                removed.append(self.path.rpartition("/")[2])
            elif self.path.endswith("/toxics"):
                self.wfile.write(json.dumps(toxics).encode())

        do_GET = do_POST = do_DELETE = _respond  # noqa: N815  (http.server's names)

    with serving(Handler) as url:
        ToxiproxyProxy(url=url, name="db", host="127.0.0.1", port=1).clear()
    assert removed == ["harness-gone", "harness-there"]


def test_toxics_may_remain_where_a_toxiproxy_only_hangs_up() -> None:
    with relay("127.0.0.1", free_port()) as port, harness_error("toxiproxy-unreachable"):
        ToxiproxyProxy(url=f"http://127.0.0.1:{port}", name="db", host="127.0.0.1", port=1).clear()


@pytest.mark.parametrize(
    "answer",
    ["[]", "null", '{"db": 5}', '{"db": {"upstream": "127.0.0.1:5432", "listen": "x"}}', "{}", "[" * 100_000, "<html>"],
)
def test_a_server_other_than_a_toxiproxy_is_reported(answer: str) -> None:
    with answering(answer.encode()) as url, harness_error("toxiproxy-refused"):
        find_toxiproxy(url, "db", UPSTREAM, "127.0.0.1:0")
