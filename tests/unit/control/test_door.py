"""Where workers of other machines come in: addresses as people type them, and what they are told to type."""

from __future__ import annotations

import socket

import pytest

from harness.control.door import Door, open_door, reached_from_outside, split_address
from harness.errors import HarnessError


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
    assert split_address(text, "--master") == expected


@pytest.mark.parametrize("text", ["", ":80", "a:b", "a:0", "a:65536", "http://a", "a b", "[::1]x", "a:٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="is not an address"):
        split_address(text, "--master")


def test_the_command_to_type_holds_a_secret_that_was_made_and_none_that_was_given() -> None:
    made = Door("127.0.0.1", 5557, "a secret with spaces")
    assert made.command(5557) == "HARNESS_SECRET='a secret with spaces' harness worker --master 127.0.0.1"
    given = Door("127.0.0.1", 6000, "a secret with spaces", secret_was_given=True)
    assert given.command(6000) == "harness worker --master 127.0.0.1:6000"
    assert "a secret" not in repr(given)


def test_a_door_that_cannot_be_opened_is_told() -> None:
    with pytest.raises(HarnessError, match="is no address of this machine"):
        open_door("192.0.2.1", None, None)
    with pytest.raises(HarnessError, match="means nothing where no machine can join"):
        open_door(None, 2, None)
    with pytest.raises(HarnessError, match="0 is not a number of workers"):
        open_door("127.0.0.1", 0, None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HarnessError, match="cannot be listened on"):
            open_door(f"127.0.0.1:{port}", None, None)


def test_a_target_on_loopback_is_refused_where_workers_come_from_elsewhere() -> None:
    loopback = "http://127.0.0.1:1"
    outside = Door("192.0.2.1", 5557)
    assert reached_from_outside(loopback, Door(), managed=False) == loopback
    assert reached_from_outside("http://192.0.2.9", outside, managed=False) == "http://192.0.2.9"
    with pytest.raises(HarnessError, match="listens on this machine alone"):
        reached_from_outside(loopback, outside, managed=False)
