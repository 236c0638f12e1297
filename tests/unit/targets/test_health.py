"""Load goes to this machine only, and an invalid address is rejected."""

from __future__ import annotations

import socket
from typing import NoReturn

import pytest

from harness.errors import ExitCode, HarnessError
from harness.plan.model.target import AllowedHost
from harness.targets.health import require_allowed


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("http://127.5.5.5/path", ("127.5.5.5", 80)),
        ("https://[::1]", ("::1", 443)),
        ("http://localhost:81/", ("localhost", 81)),
    ],
)
def test_this_machine_in_all_its_names(url: str, expected: tuple[str, int]) -> None:
    assert require_allowed(url) == expected


@pytest.mark.parametrize("url", ["http://192.0.2.1:8000", "http://[2001:db8::1]/", "http://0.0.0.0:80"])
def test_another_machine_is_rejected(url: str) -> None:
    with pytest.raises(HarnessError) as raised:
        require_allowed(url)
    assert (raised.value.code, raised.value.exit_code) == ("target-host-not-allowed", ExitCode.USAGE)
    assert raised.value.where == url


def test_the_line_to_add_keeps_what_the_user_has() -> None:
    with pytest.raises(HarnessError) as raised:
        require_allowed("http://192.0.2.1", known=[AllowedHost(host="a.test", max_rate=5)])
    assert 'allowed_hosts = [{host = "a.test", max_rate = 5}, "192.0.2.1"]' in str(raised.value.params["setting"])


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://127.0.0.1:port", "http://[::", f"http://{'a' * 64}"]
)
def test_an_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(HarnessError) as raised:
        require_allowed(url)
    assert raised.value.code == "target-url-invalid"


def test_another_machine_is_taken_when_the_user_has_allowed_it() -> None:
    assert require_allowed("http://192.0.2.1:8000", allowed=True) == ("192.0.2.1", 8000)


def test_an_unknown_host_is_reported() -> None:
    with pytest.raises(HarnessError) as raised:
        require_allowed("http://shop.invalid:8000", allowed=True)
    assert (raised.value.code, raised.value.params["host"]) == ("target-host-unknown", "shop.invalid")


def test_a_name_that_is_not_allowed_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, *_: object, **__: object) -> NoReturn:
        raise AssertionError(host)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(HarnessError) as raised:
        require_allowed("http://shop.invalid:8000", known=[AllowedHost(host="a.test")])
    assert (raised.value.code, raised.value.params["host"]) == ("target-host-not-allowed", "shop.invalid")
    with pytest.raises(AssertionError, match=r"shop\.invalid"):  # it may lead to the address
        require_allowed("http://shop.invalid:8000", known=[AllowedHost(host="192.0.2.1")])
