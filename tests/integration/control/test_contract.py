"""A target's own OpenAPI document is fetched in time, or one error says why it was not."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from harness.control import contract
from tests.support.errors import harness_error

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"


def sending(data: bytes, *, every_s: float = 0.0) -> str:
    """The URL of a server that sends ``data`` to its first client, byte by byte if that takes time."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.recv(65536)
            for part in [bytes([byte]) for byte in data] if every_s else [data]:
                try:
                    client.sendall(part)
                except OSError:
                    return
                time.sleep(every_s)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/openapi.json"


@pytest.mark.parametrize(
    "data",
    [b"no HTTP\r\n\r\n", HEAD + b"{}", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b""],
)
def test_anything_but_a_response_is_an_error(data: bytes) -> None:
    with harness_error("contract-not-served"):
        contract._fetched(sending(data), lambda: False)


def test_an_invalid_url_is_an_error_without_its_secrets() -> None:
    with harness_error("contract-not-served") as raised:
        contract._fetched("http://127.0.0.1:1/a b?token=k7", lambda: False)
    assert "k7" not in str(raised.value)


@pytest.mark.parametrize(
    "data", [HEAD + b"x" * 400, b"HTTP/1.1 200 " + b"O" * 400, HEAD[:-2] + b"X-Odd: " + b"x" * 400]
)
def test_a_target_that_drips_does_not_hold_up_the_run(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "_FETCH_S", 0.5)
    with harness_error("contract-not-served") as raised:
        contract._fetched(sending(data, every_s=0.02), lambda: False)
    assert isinstance(raised.value.__cause__, TimeoutError)


def test_a_user_need_not_wait_for_a_target_that_drips() -> None:
    with pytest.raises(KeyboardInterrupt):
        contract._fetched(sending(HEAD + b"x" * 400, every_s=0.02), lambda: True)


def test_a_user_need_not_wait_for_a_target_that_does_not_respond() -> None:
    asked, hung_up = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.recv(65536)
            asked.set()
            client.recv(1)
            hung_up.set()

    threading.Thread(target=serve, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        contract._fetched(f"http://127.0.0.1:{listener.getsockname()[1]}/openapi.json", asked.is_set)
    assert hung_up.wait(20)


@pytest.mark.parametrize("status", [b"302 Found\r\nLocation: /elsewhere", b"404 Not Found"])
def test_only_a_response_that_succeeds_has_the_document(status: bytes) -> None:
    with harness_error("contract-not-served") as raised:
        contract._fetched(sending(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}"), lambda: False)
    assert raised.value.params["reason"] == f"HTTP {status[:3].decode()}"


@pytest.mark.parametrize("data", [HEAD + b"x" * 500, b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 500])
def test_the_content_is_all_that_the_target_sends(data: bytes) -> None:
    assert contract._fetched(sending(data), lambda: False) == b"x" * 500
