"""Arrivals start on time, and those due at nearly the same time share a wake-up of the event loop."""

from __future__ import annotations

import _socket
import math
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import gevent
import pytest
from locust import User
from locust.env import Environment

from harness.engine.http.connection import Connection
from harness.engine.pacing.arrival_alarm import AT_ONCE, TOGETHER_S
from harness.engine.pacing.arrival_scheduler import ArrivalScheduler
from harness.engine.socket_poller import poller

_made: list[ArrivalScheduler] = []


def new_scheduler(*arguments: Any) -> ArrivalScheduler:
    _made.append(ArrivalScheduler(*arguments))
    return _made[-1]


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """A scheduler that is dropped while it holds the event loop would hold it for all tests that follow."""
    yield
    while _made:
        _made.pop().close(-math.inf)
    gevent.sleep(0.02)
    poller().release()


def run_until(holds: Callable[[], bool]) -> None:
    """Let the event loop run until then."""
    with gevent.Timeout(20):
        while not holds():
            gevent.sleep(0.005)


class Visitor(User):
    pass


class Arrivals:
    """A scheduler with five free users, whose clock is stopped."""

    def __init__(self, *times_s: float) -> None:
        self.now_s = 0.0
        self.started: list[float] = []
        """When each arrival that has started was due."""
        self.noted: list[tuple[float, float, float]] = []
        self._scheduler = new_scheduler(
            lambda: self.now_s, lambda: Visitor, lambda _: None, lambda *noted: self.noted.append(noted)
        )
        self._scheduler.open(0.0, iter(times_s), 5, lambda: 5)
        for _ in range(5):
            gevent.spawn(self._serve, Visitor(Environment()))
        self.run_until(0.0)

    def _serve(self, user: User) -> None:
        while True:
            due_s = self._scheduler.next_start(user)
            assert due_s is not None
            self.started.append(due_s)

    def run_until(self, now_s: float) -> None:
        self.now_s = now_s
        gevent.sleep(0.02)


def test_one_wake_up_starts_the_arrivals_due_within_its_cost() -> None:
    arrivals = Arrivals(0.005, 0.005 + 0.5 * TOGETHER_S, 0.005 + 1.5 * TOGETHER_S)
    assert arrivals.started == []
    arrivals.run_until(0.005)
    assert arrivals.started == pytest.approx([0.005, 0.005 + 0.5 * TOGETHER_S])
    arrivals.run_until(0.006)
    assert len(arrivals.started) == 3


def test_no_arrival_is_started_earlier_than_a_few_more_come() -> None:
    begun_s = perf_counter()
    noted: list[float] = []
    scheduler = new_scheduler(
        lambda: perf_counter() - begun_s, lambda: Visitor, lambda _: None, lambda _, delay_s, __: noted.append(delay_s)
    )

    def serve(user: User) -> None:
        while True:
            scheduler.next_start(user)

    scheduler.open(0.0, (0.05 + TOGETHER_S / 20 * number for number in range(200)), 30, lambda: 30)
    for _ in range(30):
        gevent.spawn(serve, Visitor(Environment()))
    run_until(lambda: len(noted) == 200)
    assert -min(noted) < AT_ONCE * TOGETHER_S / 20 + 0.0002


def test_lateness_is_noted_from_the_intended_start() -> None:
    arrivals = Arrivals(0.005, 0.005 + 0.5 * TOGETHER_S)
    arrivals.run_until(0.008)
    (first, first_delay, first_own), (_, second_delay, _) = arrivals.noted
    assert (first, first_delay, first_own) == pytest.approx((0.005, 0.003, 0.003))
    assert second_delay == pytest.approx(0.003 - 0.5 * TOGETHER_S)


def test_arrivals_that_wait_for_a_user_do_not_wait_for_responses_that_have_come() -> None:
    # With one response a wake-up, it would be 50 ms. Where others have the cores, it takes longer at times.
    assert any(median_delay_with_one_user_s() < 0.01 for _ in range(5))


def median_delay_with_one_user_s() -> float:
    """Of an arrival each millisecond, served by a user whose responses come at once."""
    begun_s = perf_counter()
    noted: list[float] = []
    scheduler = new_scheduler(
        lambda: perf_counter() - begun_s, lambda: Visitor, lambda _: None, lambda _, delay_s, __: noted.append(delay_s)
    )
    near, far = _socket.socketpair()
    near.setblocking(False)
    connection = Connection(near, 1.0)

    def serve(user: User) -> None:
        while True:
            scheduler.next_start(user)
            far.send(b"a")
            connection.receive(1.0)

    scheduler.open(0.0, (0.02 + 0.001 * number for number in range(300)), 1, lambda: 1)
    server = gevent.spawn(serve, Visitor(Environment()))
    run_until(lambda: len(noted) == 300)
    server.kill()
    connection.close()
    far.close()
    return sorted(noted)[150]


def test_users_that_take_long_to_create_are_no_more_than_max_users() -> None:
    created: list[type[User]] = []

    def create(user_class: type[User]) -> None:
        gevent.sleep(0.01)  # in its ``__init__``
        created.append(user_class)

    scheduler = new_scheduler(lambda: 1.0, lambda: Visitor, create, lambda *_: None)
    times_s = (0.0005 * number for number in range(10))
    scheduler.open(0.5, times_s, 2, lambda: len(created))
    gevent.sleep(0.002)
    scheduler.reopen(0.5, iter([0.01, 0.02]), 2)
    gevent.sleep(0.1)
    assert len(created) == 2
    assert scheduler.waiting == 12
