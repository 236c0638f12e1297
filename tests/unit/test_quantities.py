"""Durations, rates and numbers of users: what is accepted, and how anything else is rejected."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.quantities import duration_text, number_text, parse_duration, parse_rate, parse_users
from tests.unit.plan.support import assert_invalid


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
    ("value", "code", "params"),
    [
        ("10 sec", "duration-misspelled", {"value": "10 sec", "meant": "10s"}),
        ("2 hours", "duration-misspelled", {"value": "2 hours", "meant": "2h"}),
        ("3min", "duration-misspelled", {"value": "3min", "meant": "3m"}),
        ("5 s", "duration-misspelled", {"value": "5 s", "meant": "5s"}),
        ("10", "duration-without-unit", {"value": "10", "meant": "10s"}),
        ("4 lightyears", "duration-invalid", {"value": "4 lightyears"}),
        ("30s1m", "duration-invalid", {"value": "30s1m"}),
        ("", "duration-invalid", {"value": ""}),
        ("-5s", "duration-not-positive", {"value": "-5s"}),
        ("0s", "duration-not-positive", {"value": "0s"}),
        (-1, "duration-not-positive", {"value": -1}),
        (0, "duration-not-positive", {"value": 0}),
        (math.inf, "duration-invalid", {"value": math.inf}),
        (math.nan, "duration-invalid", {"value": math.nan}),
        (1e308, "duration-too-long", {"value": 1e308, "most": "8784 h"}),
        (True, "duration-invalid", {"value": True}),
        ([5], "duration-invalid", {"value": [5]}),
    ],
)
def test_an_invalid_duration_is_rejected(value: object, code: str, params: dict[str, object]) -> None:
    assert_invalid(parse_duration, value, code, params)


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
    ("value", "code", "params"),
    [
        ("200/m", "rate-unknown-unit", {"value": "200/m", "unit": "/m"}),
        ("200 rps", "rate-unknown-unit", {"value": "200 rps", "unit": "rps"}),
        ("fast", "rate-invalid", {"value": "fast"}),
        ("-3/s", "rate-negative", {"value": "-3/s"}),
        (-3, "rate-negative", {"value": -3}),
        (1e308, "rate-too-high", {"value": 1e308, "most": 10_000_000}),
        (math.inf, "rate-invalid", {"value": math.inf}),
        (False, "rate-invalid", {"value": False}),
    ],
)
def test_an_invalid_rate_is_rejected(value: object, code: str, params: dict[str, object]) -> None:
    assert_invalid(parse_rate, value, code, params)


@pytest.mark.parametrize(
    ("value", "code", "params"),
    [
        (2.5, "users-invalid", {"value": 2.5}),
        ("50", "users-invalid", {"value": "50"}),
        (True, "users-invalid", {"value": True}),
        (-1, "users-negative", {"value": -1}),
    ],
)
def test_an_invalid_number_of_users_is_rejected(value: object, code: str, params: dict[str, object]) -> None:
    assert_invalid(parse_users, value, code, params)


def test_large_numbers_are_written_in_groups() -> None:
    assert [number_text(value) for value in (5000.0, 2.5, 0, 0.1 + 0.2)] == ["5,000", "2.5", "0", "0.3"]
