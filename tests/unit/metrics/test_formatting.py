"""Figures are shown with three digits and a unit, and stay figures."""

from __future__ import annotations

import json

import pytest

from harness.messages import catalogue, message
from harness.metrics.formatting import Amount, Estimate, Limit, number, title
from harness.record.measurement import Interval


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.04123, "0.0412"), (0.5, "0.5"), (1.0, "1"), (48.26, "48.3"), (480, "480"), (999.6, "1,000"),
     (1239.7, "1,240"), (15000, "15,000"), (-12.34, "-12.3"), (float("inf"), "inf")],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_amounts_and_intervals() -> None:
    assert str(Amount(480, "ms")) == "480 ms"
    assert str(Amount(450, "/s")) == "450/s"
    assert str(Estimate(Interval(value=480, low=455, high=512), "ms")) == "480 ms [455…512]"
    assert str(Estimate(Interval(value=480, low=455, high=None), "ms")) == "480 ms [455 or more]"
    assert str(Estimate(Interval(value=480, low=480, high=480), "ms")) == "480 ms"
    assert str(Limit(500, "ms")) == "500 ms"
    assert str(Limit(495, "ms", baseline=450)) == "495 ms (baseline 450 ms)"


@pytest.mark.parametrize(
    ("value", "unit", "text"), [(3.2e-6, "s", "3.2 µs"), (0.0, "s", "0 s"), (1.5e6, "B", "1.5 MB"), (7, "", "7")]
)
def test_seconds_and_bytes_are_scaled(value: float, unit: str, text: str) -> None:
    assert str(Amount(value, unit)) == text


def test_an_amount_in_a_message_stays_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue(), "x", {"message": "the limit is {limit}, or {limit:.1f}"})
    limit = message("x", limit=Amount(500, "ms"))
    assert str(limit) == "the limit is 500 ms, or 500.0"
    assert limit.params["limit"] == 500
    assert json.dumps(limit.params) == '{"limit": 500.0}'


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("p95", "P95"),
        ("cpu_per_request", "CPU per request"),
        ('metric("db.cpu_wait").max', 'metric("db.cpu_wait").max'),
    ],
)
def test_a_sentence_names_a_metric_in_words_but_a_series_by_its_name(metric: str, words: str) -> None:
    assert title(metric) == words
