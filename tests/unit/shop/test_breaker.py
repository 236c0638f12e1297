"""A circuit breaker lets one call through at a time while what it guards is away."""

from __future__ import annotations

import pytest

from harness.shop import breaker
from harness.shop.breaker import Breaker


class Clock:
    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(breaker, "time", clock)
    return clock


def opened() -> Breaker:
    guard = Breaker(failures=3, cool_down_s=2.0)
    for _ in range(3):
        assert guard.admit()
        assert not guard.is_open
        guard.failed()
    assert guard.is_open
    return guard


@pytest.mark.usefixtures("clock")
def test_a_success_begins_the_count_of_failures_anew() -> None:
    guard = Breaker(failures=2, cool_down_s=2.0)
    for _ in range(10):
        guard.failed()
        guard.succeeded()
    assert guard.admit()


def test_one_call_tries_when_the_time_is_up(clock: Clock) -> None:
    guard = opened()
    assert not guard.admit()
    clock.now_s += 2.1
    assert not guard.is_open
    assert [guard.admit() for _ in range(3)] == [True, False, False]
    guard.failed()
    clock.now_s += 1.9
    assert not guard.admit()
    clock.now_s += 0.2
    assert guard.admit()
    guard.succeeded()
    assert [guard.admit() for _ in range(3)] == [True, True, True]


def test_a_trial_that_never_ends_is_followed_by_another(clock: Clock) -> None:
    guard = opened()
    for _ in range(3):
        clock.now_s += 2.1
        assert [guard.admit(), guard.admit()] == [True, False]
