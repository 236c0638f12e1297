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


def test_a_target_that_drips_does_not_hold_up_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "_FETCH_S", 0.5)
    with harness_error("contract-not-served"):
        contract._fetched(sending(HEAD + b"x" * 400, every_s=0.02), lambda: False)


def test_a_user_need_not_wait_for_a_target_that_drips() -> None:
    with pytest.raises(KeyboardInterrupt):
        contract._fetched(sending(HEAD + b"x" * 400, every_s=0.02), lambda: True)
