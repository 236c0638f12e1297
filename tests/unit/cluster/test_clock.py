"""A worker follows the master's clock: how well one reply shows it, which reply counts, how the clock is moved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cluster.clock import STEP_S, MasterClock, Reading

delays = st.floats(0, 0.5)


def asked(at_s: float, ahead_s: float, there_s: float, back_s: float) -> Reading:
    """A reply at a local time from a master whose clock is ahead, after these delays on the way there and back."""
    asked_s = at_s + ahead_s + there_s
    return Reading.of(at_s, asked_s, asked_s + 0.001, at_s + there_s + 0.001 + back_s)


@given(st.floats(-1e6, 1e6), delays, delays)
def test_a_reading_is_wrong_by_at_most_its_bound(ahead_s: float, there_s: float, back_s: float) -> None:
    reading = asked(5.0, ahead_s, there_s, back_s)
    assert abs(reading.offset_s - ahead_s) <= reading.bound_s + 1e-6
    assert reading.bound_s == pytest.approx((there_s + back_s) / 2, abs=1e-6)


def test_the_quickest_reading_counts() -> None:
    clock = MasterClock()
    for there_s, back_s in ((0.2, 0.001), (0.0004, 0.0004), (0.001, 0.3)):
        clock.add(asked(1.0, 100.0, there_s, back_s))
    clock.set(1.5)
    assert clock.offset_s == pytest.approx(100.0, abs=1e-6)


def test_two_processes_of_one_machine_have_one_clock_to_the_last_digit() -> None:
    clock = MasterClock()
    clock.add(asked(1.0, 0.0, 0.0003, 0.0001))
    clock.set(1.5)
    assert clock.offset_s == 0.0
    assert clock.follow(2.0) == 0.0


def test_a_clock_that_drifts_is_followed_by_steps_that_bend_no_response_time() -> None:
    clock = MasterClock()
    clock.add(asked(0.0, 7.0, 0.0001, 0.0001))
    clock.set(0.1)
    for second in range(1, 1000):  # it gains 100 µs a second
        clock.add(asked(float(second), 7.0 + 100e-6 * second, 0.0001, 0.0001))
        assert abs(clock.follow(second + 0.1)) <= 500e-6 * 1.2
        error_s, bound_s = clock.error(second + 0.1)
        assert abs(error_s) + bound_s < 0.001
    assert clock.offset_s == pytest.approx(7.1, abs=0.001)


def test_a_clock_that_has_jumped_is_set_at_once() -> None:
    clock = MasterClock()
    clock.add(asked(0.0, 0.0, 0.0001, 0.0001))
    clock.set(0.1)
    for second in range(1, 9):
        clock.add(asked(float(second), 30 * STEP_S, 0.00005, 0.00005))
    assert clock.follow(9.0) == pytest.approx(30 * STEP_S, abs=0.001)
