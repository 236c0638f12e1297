"""Durations, rates and users: what is read, and what a user is told of what is not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plan.problems import InvalidValue
from harness.plan.quantities import duration_text, number_text, parse_duration, parse_rate, parse_users

DURATION = 'write a duration as "30s", "1m30s", "500ms" or "2h", or as a number of seconds'
RATE = 'write an arrival rate as "200/s", or as a number of arrivals per second'
USERS = "write a whole number of users, such as 50"


@pytest.mark.parametrize(
    ("source", "seconds"),
    [
        ("20s", 20),
        ("1m30s", 90),
        ("500ms", 0.5),
        ("2h", 7200),
        ("1h1m1s1ms", 3661.001),
        ("1.5m", 90),
        (" 5s ", 5),
        (7, 7),
        (0.25, 0.25),
    ],
)
def test_a_duration_is_read(source: object, seconds: float) -> None:
    assert parse_duration(source) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("10 sec", '"10 sec" is not a duration', f'did you mean "10s"? ({DURATION})'),
        ("2 hours", '"2 hours" is not a duration', f'did you mean "2h"? ({DURATION})'),
        ("3min", '"3min" is not a duration', f'did you mean "3m"? ({DURATION})'),
        ("5 s", '"5 s" is not a duration', f'did you mean "5s"? ({DURATION})'),
        ("10", '"10" is not a duration', f'a unit is missing: did you mean "10s"? ({DURATION})'),
        ("4 lightyears", '"4 lightyears" is not a duration', DURATION),
        ("30s1m", '"30s1m" is not a duration', DURATION),
        ("", '"" is not a duration', DURATION),
        ("-5s", 'a duration must be more than 0, this is "-5s"', DURATION),
        ("0s", 'a duration must be more than 0, this is "0s"', DURATION),
        (-1, "a duration must be more than 0, this is -1", DURATION),
        (0, "a duration must be more than 0, this is 0", DURATION),
        (math.inf, "inf is not a duration", DURATION),
        (math.nan, "nan is not a duration", DURATION),
        (True, "true is not a duration", DURATION),
        ([5], "[5] is not a duration", DURATION),
    ],
)
def test_what_is_no_duration_is_told(source: object, message: str, hint: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_duration(source)
    assert (raised.value.message, raised.value.hint) == (message, hint)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_every_duration_made_of_units_is_their_sum(h: int, m: int, s: int, ms: int) -> None:
    seconds = h * 3600 + m * 60 + s + ms / 1000
    source = "".join(f"{n}{unit}" for n, unit in ((h, "h"), (m, "m"), (s, "s"), (ms, "ms")) if n)
    if seconds:
        assert parse_duration(source) == pytest.approx(seconds)
        assert parse_duration(duration_text(seconds).replace(" ", "").replace("min", "m")) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "500 ms"), (5, "5 s"), (90, "1 min 30 s"), (3600, "1 h"), (7261.5, "2 h 1 min 1.5 s")]
)
def test_a_duration_is_written_as_people_read_it(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("source", "rate"), [("200/s", 200), ("0.5 /s", 0.5), ("40", 40), (3, 3), (2.5, 2.5), (0, 0)])
def test_a_rate_is_read(source: object, rate: float) -> None:
    assert parse_rate(source) == rate


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("200/m", '"200/m": unknown unit "/m"'),
        ("200 rps", '"200 rps": unknown unit "rps"'),
        ("fast", '"fast" is not an arrival rate'),
        ("-3/s", 'an arrival rate cannot be negative, this is "-3/s"'),
        (-3, "an arrival rate cannot be negative, this is -3"),
        (math.inf, "inf is not an arrival rate"),
        (False, "false is not an arrival rate"),
    ],
)
def test_what_is_no_rate_is_told(source: object, message: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_rate(source)
    assert (raised.value.message, raised.value.hint) == (message, RATE)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (2.5, "2.5 is not a number of users"),
        ("50", '"50" is not a number of users'),
        (True, "true is not a number of users"),
        (-1, "a number of users cannot be negative, this is -1"),
    ],
)
def test_what_is_no_number_of_users_is_told(source: object, message: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_users(source)
    assert (raised.value.message, raised.value.hint) == (message, USERS)


def test_large_numbers_are_written_in_groups() -> None:
    assert [number_text(value) for value in (5000.0, 2.5, 0, 0.1 + 0.2)] == ["5,000", "2.5", "0", "0.3"]
