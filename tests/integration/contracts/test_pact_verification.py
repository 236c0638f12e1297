"""A pact of a real consumer test, verified against real providers that keep it or do not."""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from harness.contracts.pacts import read_pacts, verify
from tests.support.children import killed_at_end
from tests.support.command import start
from tests.support.in_process import harness
from tests.support.targets import all_ended

os.environ["PACT_DO_NOT_TRACK"] = "true"


class Provider:
    """Sells what is in ``stock``; its states are set up by POST /_pact/states."""

    def __init__(self, status: int = 200, location: str = "", **broken: Any) -> None:
        self.asked: list[str] = []
        self.stock: dict[int, str] = {}
        self.states: list[str] = []
        self.authorization: str | None = None
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append(self.path)
                number = int(self.path.rpartition("/")[2])
                if number in owner.stock:
                    owner._send(self, 200, {"id": number, "name": owner.stock[number], "price": 12.5} | broken)
                else:
                    owner._send(self, 404, {"error": "not_found"})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.states.append(asked["state"])
                owner.authorization = self.headers["Authorization"]
                owner.stock = {7: "lamp"} if asked["state"] == "product 7 is in stock" else {}
                owner._send(self, status, {}, location)

            def log_message(self, format: str, *arguments: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, body: Any, location: str = "") -> None:
        content = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        if location:
            handler.send_header("Location", location)
        handler.end_headers()
        handler.wfile.write(content)

    @contextmanager
    def serving(self) -> Iterator[Provider]:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture(scope="module", params=["V2", "V3", "V4"])
def pact_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the test of a consumer leaves, which asks Pact's mock of the provider for two products."""
    from pact import Pact, match

    pact = Pact("web", "catalogue").with_specification(request.param)
    asked = (
        pact.upon_receiving("a request for a product").given("product 7 is in stock").with_request("GET", "/products/7")
    )
    asked.will_respond_with(200).with_body({"id": 7, "name": match.str("lamp"), "price": match.number(9.5)})
    gone = pact.upon_receiving("a request for a product that is gone").given("nothing is in stock")
    gone.with_request("GET", "/products/8").will_respond_with(404)
    with pact.serve() as mock:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{mock.url}/products/7") as response:
            assert json.load(response)["name"] == "lamp"
        with pytest.raises(urllib.request.HTTPError):
            opener.open(f"{mock.url}/products/8")
    folder = tmp_path_factory.mktemp("pacts")
    pact.write_file(folder)
    (path,) = folder.glob("*.json")
    return path


def test_a_provider_that_keeps_its_pact_passes(pact_file: Path) -> None:
    with Provider().serving() as provider:
        found = verify(read_pacts([pact_file], None), provider.url, states_url=f"{provider.url}/_pact/states")
    assert found.held, found
    assert [(one.description, one.states) for one in found.interactions] == [
        ("a request for a product", ["product 7 is in stock"]),
        ("a request for a product that is gone", ["nothing is in stock"]),
    ]
    assert provider.states == ["product 7 is in stock", "nothing is in stock"]


def test_a_state_that_cannot_be_set_up_is_asked_for_once(pact_file: Path) -> None:
    """Pact's library itself would retry for two minutes."""
    with Provider(status=503).serving() as provider:
        url = provider.url.replace("//", "//me:s3cret@")
        found = verify(read_pacts([pact_file], None), provider.url, states_url=f"{url}/_pact/states")
    assert provider.states == ["product 7 is in stock", "nothing is in stock"]
    assert provider.authorization == "Basic bWU6czNjcmV0"
    mismatches = [[mismatch.kind for mismatch in one.mismatches] for one in found.interactions]
    assert (found.held, mismatches) == (False, [["state"], ["state"]])
    assert "s3cret" not in found.model_dump_json()


def test_a_redirect_of_a_state_is_not_followed(pact_file: Path) -> None:
    """It may lead to a host that nobody has allowed."""
    with Provider().serving() as elsewhere, Provider(302, f"{elsewhere.url}/products/7").serving() as provider:
        found = verify(read_pacts([pact_file], None), provider.url, states_url=f"{provider.url}/_pact/states")
    assert elsewhere.asked == []
    assert [[mismatch.kind for mismatch in one.mismatches] for one in found.interactions] == [["state"], ["state"]]


def test_a_difference_is_reported_for_its_interaction(pact_file: Path) -> None:
    with Provider(name=None, price="12.50").serving() as provider:
        found = verify(read_pacts([pact_file], None), provider.url, states_url=f"{provider.url}/_pact/states")
    broken, kept = found.interactions
    assert (found.held, broken.held, kept.held) == (False, False, True)
    assert {mismatch.path for mismatch in broken.mismatches} == {"$.name", "$.price"}
    assert {mismatch.kind for mismatch in broken.mismatches} == {"body"}


def test_a_pending_interaction_that_does_not_hold_is_reported(pact_file: Path, tmp_path: Path) -> None:
    data = json.loads(pact_file.read_bytes())
    pending = tmp_path / "pending.json"
    pending.write_text(json.dumps(data | {"interactions": [one | {"pending": True} for one in data["interactions"]]}))
    with Provider().serving() as provider:
        found = verify(read_pacts([pending], None), provider.url)
    assert not found.held


def test_what_was_verified_is_recorded_without_a_password(pact_file: Path) -> None:
    found = verify(read_pacts([pact_file], None), "http://me:pw9@127.0.0.1:1")
    assert not found.held
    assert "pw9" not in found.model_dump_json()


@pytest.mark.slow
def test_a_killed_harness_leaves_no_verification_behind(pact_file: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with killed_at_end(start("contract", pact_file, "--host", url, cwd=tmp_path)) as process:
            for _ in range(2):  # a look whether it is there, then the first interaction
                silent.accept()
            children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        killed_s = time.monotonic()
        assert children
        assert all_ended(children)
        assert time.monotonic() - killed_s < 20  # the library waits for 30 s


def test_an_interaction_fails_if_nothing_sets_up_its_state(pact_file: Path) -> None:
    with Provider().serving() as provider:
        found = verify(read_pacts([pact_file], None), provider.url)
    assert [one.held for one in found.interactions] == [False, True]
    assert {mismatch.kind for mismatch in found.interactions[0].mismatches} >= {"status"}


@pytest.mark.parametrize(("broken", "code"), [({}, 0), ({"price": "dear"}, 1)])
def test_the_command_exits_as_a_run_does(pact_file: Path, broken: dict[str, Any], code: int) -> None:
    with Provider(**broken).serving() as provider:
        states = f"{provider.url}/_pact/states"
        said = harness("contract", pact_file, "--host", provider.url, "--provider-states-url", states, "--json")
    assert (said.exit_code, said.json["held"]) == (code, code == 0)
    assert [one["held"] for one in said.json["interactions"]] == [code == 0, True]
    assert "catalogue" in said.err


def test_wrong_input_of_the_command_exits_with_2(tmp_path: Path, pact_file: Path) -> None:
    url = "http://127.0.0.1:9"
    (tmp_path / "broken.json").write_text("{")
    for words, error in (
        ([tmp_path / "no.json"], "pact-not-found"),
        ([tmp_path / "broken.json"], "invalid-json"),
        ([pact_file, "--provider", "bank"], "pact-of-other-provider"),
    ):
        said = harness("contract", *words, "--host", url)
        assert (said.exit_code, said.code) == (2, error)
    said = harness("contract", pact_file, "--host", "http://192.0.2.1")
    assert (said.exit_code, said.code) == (2, "target-host-not-allowed")
    said = harness("contract", pact_file, "--host", url)
    assert (said.exit_code, said.code) == (4, "provider-unreachable")
