"""Which connections a load worker's guard lets through."""

from __future__ import annotations

import socket

import gevent
import pytest
from gevent.event import Event

from harness.engine.host_guard import Guard, guard_lookups
from harness.engine.http.connection_pool import OriginPool
from harness.engine.http.origin import Origin
from harness.engine.pacing.rate_limiter import RateLimiter
from harness.engine.request_failures import HostNotAllowed
from harness.plan.hosts import AllowedHosts
from harness.plan.model.target import AllowedHost


def guard(*allowed: str) -> Guard:
    return Guard(AllowedHosts(AllowedHost(host=host) for host in allowed), own=["192.0.2.9"])


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
    with pytest.raises(HostNotAllowed) as refused:
        guard("198.51.100.7").check(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, 80))
    assert refused.value.params["host"] == host


def test_addresses_of_an_allowed_name_are_known_from_its_look_up() -> None:
    some = guard("shop.example")
    with pytest.raises(HostNotAllowed) as refused:
        some.check(socket.AF_INET, ("203.0.113.5", 443))
    assert refused.value.params["host"] == "203.0.113.5"
    some.note("SHOP.example.", ["203.0.113.5"])
    some.check(socket.AF_INET, ("203.0.113.5", 443))
    some.note("other.example", ["203.0.113.6"])
    with pytest.raises(HostNotAllowed) as refused:
        some.check(socket.AF_INET, ("203.0.113.6", 443))
    assert refused.value.params["host"] == "other.example"


def test_a_name_that_shares_an_allowed_address_is_not_allowed_for_that() -> None:
    some = guard("shop.example", "198.51.100.7")
    some.note("shop.example", ["203.0.113.5"])
    some.require("shop.example", ["203.0.113.5"])
    some.require("called-by-another-name.example", ["198.51.100.7"])
    some.require("in-hosts-file", ["127.0.1.1"])
    some.require("192.0.2.9", ["192.0.2.9"])
    some.require("leads-to-the-target-that-was-started", ["192.0.2.9"])
    for host, addresses in (
        ("evil.example", ["203.0.113.5"]),
        ("half-here.example", ["127.0.0.1", "203.0.113.9"]),
        ("localhost", ["203.0.113.9"]),
        ("behind-a-proxy.example", None),
    ):
        with pytest.raises(HostNotAllowed):
            some.require(host, addresses)


def test_a_name_that_cannot_be_allowed_is_not_looked_up() -> None:
    some = Guard(AllowedHosts([AllowedHost(host="shop.example")]), own=["localhost"])
    for host in ("SHOP.example.", b"shop.example", "127.0.0.1", "203.0.113.5", "localhost", socket.gethostname(), None):
        some.check_look_up(host)
    for host in ("evil.example", b"secret.evil.example"):
        with pytest.raises(HostNotAllowed) as refused:
            some.check_look_up(host)
        assert refused.value.params["host"] in ("evil.example", "secret.evil.example")
    guard().check_look_up("may-lead-to-the-target-that-was-started")
    guard("198.51.100.7").check_look_up("may-be-another-name.example")


def test_the_resolver_of_a_worker_refuses_a_name_before_it_asks() -> None:
    asked: list[str] = []
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.5", 80))]

    class Resolver:
        def getaddrinfo(self, host: str, *_: object) -> object:
            asked.append(host)
            return found

        def gethostbyname(self, host: str) -> str:
            asked.append(host)
            return "203.0.113.5"

        gethostbyname_ex = gethostbyname

    resolver = Resolver()
    guard_lookups(resolver, Guard(AllowedHosts([AllowedHost(host="shop.example")])))
    assert resolver.getaddrinfo("shop.example", 80) is found
    with pytest.raises(HostNotAllowed):
        resolver.getaddrinfo("evil.example", 80)
    with pytest.raises(HostNotAllowed):
        resolver.gethostbyname("evil.example")
    assert asked == ["shop.example"]


@pytest.mark.parametrize(("most", "asked"), [(1, 4), (3, 10), (5, 5)])
def test_no_span_of_a_second_exceeds_the_rate_limit(most: int, asked: int) -> None:
    now = [100.0]
    begun: list[float] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    rate_limiter = RateLimiter(most, lambda: now[0], sleep)
    for _ in range(asked):
        came_s = now[0]
        assert rate_limiter.take_turn() == now[0] - came_s
        begun.append(now[0])
        now[0] += 0.01
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(begun, begun[most:], strict=False))
    assert rate_limiter.take_held() >= (asked - 1) // most
    assert rate_limiter.take_held() == 0


def test_the_rate_limit_holds_however_late_a_sleeper_wakes() -> None:
    now = [100.0]
    wakes_s = iter([0.4, 0.5, 0.7, 0.2, 0.9, *[1.0] * 20])
    begun: list[float] = []

    def sleep(_: float) -> None:
        now[0] += max(next(wakes_s), 0.01)

    rate_limiter = RateLimiter(2, lambda: now[0], sleep)
    for _ in range(9):
        rate_limiter.take_turn()
        begun.append(now[0])
    assert all(later - earlier >= 1 for earlier, later in zip(begun, begun[2:], strict=False))


def test_requests_wait_in_turn_and_who_is_gone_leaves_its_place() -> None:
    now = [100.0]
    begun: list[tuple[str, float]] = []
    ends = Event()

    def sleep(_: float) -> None:
        ends.wait()
        ends.clear()

    rate_limiter = RateLimiter(1, lambda: now[0], sleep)

    def user(name: str) -> None:
        rate_limiter.take_turn()
        begun.append((name, now[0]))

    users = {name: gevent.spawn(user, name) for name in "abcde"}
    gevent.sleep(0)
    assert begun == [("a", 100.0)]
    assert (rate_limiter.take_held(), rate_limiter.take_held()) == (4, 4)  # each in every second in which it waits
    for gone in "bd":
        users[gone].kill()
    assert rate_limiter.take_held() == 4
    for now[0] in (100.5, 101.0, 101.5, 102.0):
        ends.set()
        gevent.sleep(0)
        gevent.sleep(0)
    assert begun == [("a", 100.0), ("c", 101.0), ("e", 102.0)]
    assert all(user.dead for user in users.values())
    assert rate_limiter.take_held() == 2
    assert rate_limiter.take_held() == 0


def test_a_rate_limit_holds_for_other_names_of_its_host() -> None:
    hosts = [
        AllowedHost(host="10.0.0.9", max_rate=5),
        AllowedHost(host="a.test", max_rate=3),
        AllowedHost(host="b.test"),
    ]
    some = Guard(AllowedHosts(hosts, [AllowedHost(host="localhost", max_rate=9)]))
    assert some.rate_limiter("x.test") is None
    some.note("x.test", ["10.0.0.9"])
    some.note("b.test", ["203.0.113.5"])
    some.note("a.test", ["203.0.113.5"])
    some.note("Y.test.", ["203.0.113.5"])
    some.note("in-hosts-file", ["127.0.1.1"])
    assert some.rate_limiter("x.test") is some.rate_limiters["10.0.0.9"]
    assert some.rate_limiter("203.0.113.5") is some.rate_limiter("y.test") is some.rate_limiters["a.test"]
    assert some.rate_limiter("in-hosts-file") is some.rate_limiters["localhost"]
    # It is allowed by its own name, without one.
    some.note("b.test", ["203.0.113.5"])
    assert some.rate_limiter("b.test") is None
    some.note("b.test", ["10.0.0.9"])
    assert some.rate_limiter("b.test") is some.rate_limiters["10.0.0.9"]


def test_a_connection_under_another_name_finds_the_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    some = Guard(AllowedHosts([AllowedHost(host="10.0.0.9", max_rate=5)]))
    monkeypatch.setattr("harness.engine.host_guard._process_guard", some)
    origin_pool = OriginPool(Origin("http", "x.test", 80), 1)
    found = (origin_pool.rate_limiter, origin_pool.wait_for_rate_limit(), origin_pool.limit_after_connect())
    assert found == (None, 0.0, 0.0)
    some.note("x.test", ["10.0.0.9"])
    assert origin_pool.limit_after_connect() == 0.0
    assert origin_pool.rate_limiter is some.rate_limiters["10.0.0.9"]
    assert list(origin_pool.rate_limiter._begun_s)[-1] > 0


def test_workers_share_a_rate_limit_and_this_machine_is_one_host() -> None:
    hosts = AllowedHosts([AllowedHost(host="localhost", max_rate=7)], [AllowedHost(host="localhost", max_rate=9)])
    workers = [Guard(hosts, worker=worker, workers=3).rate_limiters["localhost"] for worker in range(3)]
    assert [rate_limiter._begun_s.maxlen for rate_limiter in workers] == [3, 2, 2]
    one = Guard(hosts)
    assert one.rate_limiter("127.0.0.1") is one.rate_limiter("LOCALHOST") is one.rate_limiter("::1") is not None
    assert one.rate_limiter("shop.example") is None


def test_a_rate_limit_of_this_machine_holds_for_a_managed_target() -> None:
    hosts = [
        *(AllowedHost(host="localhost", max_rate=7), AllowedHost(host="192.0.2.9", max_rate=5)),
        AllowedHost(host="10.0.0.9", max_rate=3),
    ]
    some = Guard(AllowedHosts(hosts), own=["192.0.2.9"])
    some.note("shop.test", ["192.0.2.9"])
    assert some.rate_limiter("192.0.2.9") is some.rate_limiter("127.0.0.1") is some.rate_limiter("shop.test")
    # Both are for the same machine: the lowest holds.
    assert {host: rate_limiter._begun_s.maxlen for host, rate_limiter in some.rate_limiters.items()} == {
        "localhost": 5,
        "10.0.0.9": 3,
    }
