"""Which connections a load worker's guard lets through."""

from __future__ import annotations

import socket

import pytest

from harness.load.ceiling import Ceiling
from harness.load.failures import HostRefused
from harness.load.guard import Guard
from harness.plan.hosts import Hosts
from harness.plan.model import AllowedHost


def guard(*allowed: str) -> Guard:
    return Guard(Hosts(AllowedHost(host=host) for host in allowed), own=["192.0.2.9"])


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 80)),
        (socket.AF_INET, ("127.9.9.9", 80)),
        (socket.AF_INET, ("localhost", 80)),
        (socket.AF_INET6, ("::1", 80, 0, 0)),
        (socket.AF_INET6, ("::ffff:127.0.0.1", 80, 0, 0)),
        (socket.AF_INET, ("192.0.2.9", 80)),  # the target that the harness started, as other machines see it
        (socket.AF_INET, ("198.51.100.7", 80)),
        (socket.AF_UNIX, "/run/app.sock"),
    ],
)
def test_this_machine_and_what_is_allowed_can_be_reached(family: int, address: object) -> None:
    guard("198.51.100.7").check(family, address)


@pytest.mark.parametrize("host", ["10.1.2.3", "fe80::1%eth0", "shop.example", "0.0.0.0", "::ffff:10.1.2.3", ""])
def test_nothing_else_can(host: str) -> None:
    with pytest.raises(HostRefused, match="to allowed_hosts under"):
        guard("198.51.100.7").check(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, 80))


def test_addresses_of_an_allowed_name_are_known_from_its_look_up() -> None:
    some = guard("shop.example")
    with pytest.raises(HostRefused, match=r"not allowed: 203\.0\.113\.5 "):
        some.check(socket.AF_INET, ("203.0.113.5", 443))
    some.note("SHOP.example.", ["203.0.113.5"])
    some.check(socket.AF_INET, ("203.0.113.5", 443))
    some.note("other.example", ["203.0.113.6"])
    with pytest.raises(HostRefused, match=r"not allowed: other\.example "):
        some.check(socket.AF_INET, ("203.0.113.6", 443))


def test_a_name_that_shares_an_allowed_address_is_not_allowed_for_that() -> None:
    some = guard("shop.example", "198.51.100.7")
    some.note("shop.example", ["203.0.113.5"])
    some.require("shop.example", ["203.0.113.5"])
    some.require("called-by-another-name.example", ["198.51.100.7"])
    some.require("in-hosts-file", ["127.0.1.1"])
    for host, addresses in (
        ("evil.example", ["203.0.113.5"]),
        ("half-here.example", ["127.0.0.1", "203.0.113.9"]),
        ("localhost", ["203.0.113.9"]),
        ("behind-a-proxy.example", None),
    ):
        with pytest.raises(HostRefused):
            some.require(host, addresses)


@pytest.mark.parametrize(("most", "asked"), [(1, 4), (3, 10), (5, 5)])
def test_no_span_of_a_second_sees_more_than_the_ceiling(most: int, asked: int) -> None:
    now = [100.0]
    begun: list[float] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    ceiling = Ceiling(most, lambda: now[0], sleep)
    for _ in range(asked):
        ceiling.take_turn()
        begun.append(now[0])
        now[0] += 0.01
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(begun, begun[most:], strict=False))
    assert ceiling.held >= (asked - 1) // most


def test_workers_share_a_ceiling_and_this_machine_is_one_host() -> None:
    hosts = Hosts([AllowedHost(host="localhost", max_rate=7)], [AllowedHost(host="localhost", max_rate=9)])
    shares = [Guard(hosts, share=share, shares=3).ceilings["localhost"] for share in range(3)]
    assert [len(ceiling._used_s) for ceiling in shares] == [3, 2, 2]
    one = Guard(hosts)
    assert one.ceiling("127.0.0.1") is one.ceiling("LOCALHOST") is one.ceiling("::1") is not None
    assert one.ceiling("shop.example") is None
