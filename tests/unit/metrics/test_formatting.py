"""Figures are said with three digits and a unit."""

from __future__ import annotations

import pytest

from harness.metrics import formatting
from harness.record.measurement import Interval


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (0.04123, "0.0412"), (0.5, "0.5"), (1.0, "1"), (48.26, "48.3"), (480, "480"), (999.6, "1,000"),
     (1239.7, "1,240"), (15000, "15,000"), (-12.34, "-12.3"), (float("inf"), "inf")],
)  # fmt: skip
def test_numbers(value: float, said: str) -> None:
    assert formatting.number(value) == said


def test_amounts_and_intervals() -> None:
    assert formatting.amount(480, "ms") == "480 ms"
    assert formatting.amount(450, "/s") == "450/s"
    assert formatting.observed(Interval(value=480, low=455, high=512), "ms") == "480 ms [455…512]"
    assert formatting.observed(Interval(value=480, low=455, high=None), "ms") == "480 ms [455 or more]"
    assert formatting.observed(Interval(value=480, low=480, high=480), "ms") == "480 ms"


def test_what_there_is_instead() -> None:
    assert formatting.among("stedy", ["ramp", "steady"]) == "did you mean 'steady'? there were: ramp, steady"
    assert formatting.among("x", ["ramp", "steady"]) == "there were: ramp, steady"
    assert formatting.among("x", []) == "there were none"
