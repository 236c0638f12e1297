"""Load goes to this machine only, and an address that is none is refused."""

from __future__ import annotations

import pytest

from harness.errors import ExitCode, HarnessError
from harness.plan.model import AllowedHost
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
def test_another_machine_is_refused(url: str) -> None:
    with pytest.raises(HarnessError, match="load is only sent to this machine") as caught:
        require_allowed(url)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.where == url


def test_the_line_to_add_keeps_what_the_user_has() -> None:
    with pytest.raises(HarnessError) as caught:
        require_allowed("http://192.0.2.1", known=[AllowedHost(host="a.test", max_rate=5)])
    assert 'allowed_hosts = [{host = "a.test", max_rate = 5}, "192.0.2.1"]' in str(caught.value.hint)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://127.0.0.1:port", "http://[::", f"http://{'a' * 64}"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(HarnessError, match="this is no HTTP URL"):
        require_allowed(url)


def test_another_machine_is_taken_when_the_user_has_allowed_it() -> None:
    assert require_allowed("http://192.0.2.1:8000", allowed=True) == ("192.0.2.1", 8000)


def test_a_host_that_nobody_knows_is_told() -> None:
    with pytest.raises(HarnessError, match=r"the host 'shop\.invalid' is not known"):
        require_allowed("http://shop.invalid:8000")
