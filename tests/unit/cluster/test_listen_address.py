"""Where workers of other machines join: addresses as people type them, and the command that is shown to them."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from harness.cluster.listen_address import (
    ListenAddress,
    reached_from_outside,
    resolve_bind,
    resolve_listen_address,
    split_address,
)
from tests.support.children import free_port
from tests.support.errors import harness_error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.5", ("10.0.0.5", 5557)),
        ("10.0.0.5:80", ("10.0.0.5", 80)),
        ("load.local:7000", ("load.local", 7000)),
        ("fd00::5", ("fd00::5", 5557)),
        ("[fd00::5]", ("fd00::5", 5557)),
        ("[fd00::5]:80", ("fd00::5", 80)),
    ],
)
def test_addresses_as_people_type_them(text: str, expected: tuple[str, int]) -> None:
    assert split_address(text, "master") == expected


@pytest.mark.parametrize(
    "text", ["", ":80", "a:b", "a:0", "a:65536", "http://a", "a b", "[::1]x", "a:٣", f"a:{'9' * 5000}"]
)
def test_an_invalid_address_is_rejected(text: str) -> None:
    with harness_error("address-invalid"):
        split_address(text, "master")


def test_the_command_to_type_holds_a_secret_that_was_made_and_none_that_was_given() -> None:
    made = ListenAddress("127.0.0.1", 5557, "a secret with spaces")
    assert made.command(5557) == "HARNESS_SECRET='a secret with spaces' harness worker --master 127.0.0.1"
    given = ListenAddress("127.0.0.1", 6000, "a secret with spaces", secret_was_given=True)
    assert given.command(6000) == "harness worker --master 127.0.0.1:6000"
    assert "a secret" not in repr(given)


def test_unusable_listen_options_are_rejected() -> None:
    with harness_error("bind-address-not-local"):
        resolve_listen_address("192.0.2.1", None, None)
    with harness_error("expect-workers-without-bind"):
        resolve_listen_address(None, 2, None)
    with harness_error("expect-workers-too-few"):
        resolve_listen_address("127.0.0.1", 0, None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with harness_error("bind-port-unavailable"):
            resolve_listen_address(f"127.0.0.1:{port}", None, None)


def test_a_secret_is_generated_only_for_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HARNESS_SECRET", raising=False)
    address = f"127.0.0.1:{free_port()}"
    with (tmp_path / "log").open("w") as log:  # as CI has it, which may show it to everybody
        monkeypatch.setattr(sys, "stderr", log)
        with harness_error("bind-without-secret") as error:
            resolve_listen_address(address, None, None)
        assert error.value.params["variable"] == "HARNESS_SECRET"
        (tmp_path / "secret").write_text("a secret of this test")
        given = resolve_listen_address(address, None, tmp_path / "secret")
        assert given is not None
        assert given.secret_was_given
    ours, terminal = os.openpty()
    with os.fdopen(ours), os.fdopen(terminal, "w") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        made = resolve_listen_address(address, None, None)
    assert made is not None
    assert made.secret in made.command(made.port)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bind", "expected"),
    [("127.0.0.1:{}", "127.0.0.1"), ("0.0.0.0:{}", "0.0.0.0"), ("localhost:{}", "127.0.0.1")],
)
def test_the_address_to_listen_on(bind: str, expected: str) -> None:
    port = free_port()
    assert resolve_bind(bind.format(port)) == (expected, port)


def test_an_unknown_host_is_reported_with_the_known_addresses() -> None:
    with harness_error("bind-host-unknown") as error:
        resolve_bind("nobody.invalid")
    assert "127.0.0.1" in str(error.value.params["addresses"])


@pytest.mark.slow
def test_a_managed_target_is_reached_at_the_listen_address() -> None:
    listen_address = ListenAddress("0.0.0.0", 5557)
    with socket.create_server(("0.0.0.0", 0)) as everywhere:
        port = everywhere.getsockname()[1]
        url = reached_from_outside(f"http://127.0.0.1:{port}", listen_address, managed=True)
        assert url == f"http://{listen_address.reached_at()}:{port}"
    with harness_error("target-listens-on-loopback"):
        reached_from_outside(f"http://127.0.0.1:{port}", listen_address, managed=True)


def test_remote_workers_cannot_use_a_target_on_loopback() -> None:
    loopback = "http://127.0.0.1:1"
    outside = ListenAddress("192.0.2.1", 5557)
    assert reached_from_outside(loopback, ListenAddress(), managed=False) == loopback
    assert reached_from_outside("http://192.0.2.9", outside, managed=False) == "http://192.0.2.9"
    with harness_error("target-url-on-loopback"):
        reached_from_outside(loopback, outside, managed=False)
