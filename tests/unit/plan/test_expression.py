"""Gate and limit expressions: what they mean, and what a user is told of what means nothing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import RUN_METRICS
from harness.plan.expression import parse_limit, parse_requirement
from harness.plan.problems import InvalidValue

EXAMPLES = 'write, for example, "p95 < 500ms", "error_rate < 1%" or "throughput >= 450/s"'
KNOWN = "known: p50, p75, p90, p95, p99, p99.9, mean, max, error_rate, throughput"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("p95 < 500ms", ("p95", "<", 500, "ms", False)),
        ("p99.9 <= 1.1s", ("p99.9", "<=", 1100, "ms", False)),
        ("P50<900 us", ("p50", "<", 0.9, "ms", False)),
        ("max < 1m", ("max", "<", 60_000, "ms", False)),
        ("error_rate <= 0%", ("error_rate", "<=", 0, "%", False)),
        ("throughput >= 450/s", ("throughput", ">=", 450, "/s", False)),
        ("throughput >= 450 / s", ("throughput", ">=", 450, "/s", False)),
        ("p95 <= baseline + 10%", ("p95", "<=", 10, "%", True)),
        ("p95 <= baseline+20ms", ("p95", "<=", 20, "ms", True)),
        ("throughput >= baseline - 5%", ("throughput", ">=", -5, "%", True)),
        ("mean <= baseline", ("mean", "<=", 0, "%", True)),
    ],
)
def test_a_requirement_is_read(text: str, meaning: tuple[str, str, float, str, bool]) -> None:
    read = parse_requirement(text)
    assert (read.metric, read.comparator, read.value, read.unit, read.baseline) == meaning
    assert read.source == text


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("p95 < 500", '"p95 < 500": a unit is missing', 'did you mean "p95 < 500ms"?'),
        ("p95 < 0.5", '"p95 < 0.5": a unit is missing', 'did you mean "p95 < 0.5s"?'),
        ("throughput > 5", '"throughput > 5": a unit is missing', 'did you mean "throughput > 5/s"?'),
        ("error_rate < 0.01", '"error_rate < 0.01": a unit is missing', 'did you mean "error_rate < 1%"?'),
        ("error_rate < 2", '"error_rate < 2": a unit is missing', 'did you mean "error_rate < 2%"?'),
        (
            "p95 <= baseline + 10",
            '"p95 <= baseline + 10": a unit is missing',
            'did you mean "p95 <= baseline + 10%"?',
        ),
        (
            "error_rate < 5ms",
            '"error_rate < 5ms": "ms" is not a unit of error_rate',
            "it is in per cent: error_rate < 1%",
        ),
        (
            "throughput > 10 rps",
            '"throughput > 10 rps": "rps" is not a unit of throughput',
            "it is per second, written /s: throughput >= 450/s",
        ),
        ("p95 < 5%", '"p95 < 5%": "%" is not a unit of p95', "it is in ms, s, us or m: p95 < 500ms"),
        (
            "p95 <= baseline + 10/s",
            '"p95 <= baseline + 10/s": "/s" is not a unit of p95',
            "it is in ms, s, us or m: p95 < 500ms, or in % of the baseline: baseline + 10%",
        ),
        ("p98 < 5ms", '"p98 < 5ms": unknown metric "p98"', f'did you mean "p99"? ({KNOWN})'),
        ("rps > 40/s", '"rps > 40/s": unknown metric "rps"', f'did you mean "throughput"? ({KNOWN})'),
        ("zebra > 40/s", '"zebra > 40/s": unknown metric "zebra"', KNOWN),
        ("p95 = 5ms", '"p95 = 5ms": "=" is not a comparison', 'did you mean "p95 <= 5ms"?'),
        ("p95 ≤ 5ms", '"p95 ≤ 5ms": "≤" is not a comparison', 'did you mean "p95 <= 5ms"?'),
        ("p95 != 5ms", '"p95 != 5ms": "!=" is not a comparison', "known: <, <=, >, >="),
        ("p95 < -5ms", '"p95 < -5ms": a limit has no sign', 'write "5ms"'),
        ("p95 < 0ms", '"p95 < 0ms" can never hold', "nothing is below 0: raise the limit, or use <="),
        (
            "error_rate < 120%",
            '"error_rate < 120%": error_rate is at most 100 %',
            "write, for example, error_rate < 1%",
        ),
        ("p95", '"p95" cannot be read at its end: expected a comparison (<, <=, >, >=)', EXAMPLES),
        ("p95 < ms", '"p95 < ms" cannot be read at column 7: expected a number or "baseline"', EXAMPLES),
        ("p95 < 1,000ms", '"p95 < 1,000ms" cannot be read: "," at column 8 is unexpected', EXAMPLES),
        ("p95 < 5ms and", '"p95 < 5ms and" cannot be read at its end: expected a metric', EXAMPLES),
        ("", '"" is not a requirement', EXAMPLES),
        (500, "500 is not a requirement", EXAMPLES),
        (
            "p95 < 1s and p50 < 1s",
            '"p95 < 1s and p50 < 1s" joins requirements',
            "a gate is one requirement: write a gate for each",
        ),
    ],
)
def test_what_is_no_requirement_is_told(text: object, message: str, hint: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_requirement(text)
    assert (raised.value.message, raised.value.hint) == (message, hint)


def test_and_binds_closer_than_or() -> None:
    condition = parse_limit("p95 > 500ms or error_rate > 1% AND p50 > 2s")
    assert [[part.source for part in group] for group in condition.any_of] == [
        ["p95 > 500ms"],
        ["error_rate > 1%", "p50 > 2s"],
    ]
    assert condition.source == "p95 > 500ms or error_rate > 1% AND p50 > 2s"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "error_rate > 1% or p95 <= 500ms",
            '"p95 <= 500ms" is true from the start, so the first step would be the last',
            '"until" says when the limit breaks: did you mean "p95 >= 500ms"?',
        ),
        (
            "p95 > baseline + 10%",
            '"p95 > baseline + 10%" compares with a baseline, which is known only after the run',
            'name the limit itself, such as "p95 > 500ms"; a gate may compare with the baseline',
        ),
    ],
)
def test_a_limit_that_cannot_break_is_told(text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_limit(text)
    assert (raised.value.message, raised.value.hint) == (message, hint)


def test_a_throughput_may_be_a_limit_from_either_side() -> None:
    assert parse_limit("throughput > 900/s or throughput < 5/s").any_of[1][0].comparator == "<"


@given(
    st.sampled_from(list(RUN_METRICS)),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.integers(1, 99),
    st.sampled_from(["", " "]),
)
def test_every_metric_is_read_with_its_own_unit(metric: str, comparator: str, value: int, space: str) -> None:
    unit = {"error_rate": "%", "throughput": "/s"}.get(metric, "ms")
    read = parse_requirement(f"{metric}{space}{comparator}{space}{value}{space}{unit}")
    assert (read.metric, read.comparator, read.value, read.unit) == (metric, comparator, value, unit)


@given(st.text(max_size=30))
def test_any_text_is_read_or_told(text: str) -> None:
    with contextlib.suppress(InvalidValue):
        assert parse_limit(text).source == text.strip()
