"""Gate and limit expressions: what they mean, and how meaningless ones are rejected."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InvalidValue
from harness.metrics import RUN_METRICS
from harness.plan.expression import parse_limit, parse_requirement
from tests.unit.plan.support import assert_invalid


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
        ("p95 <= baseline + 200%", ("p95", "<=", 200, "%", True)),
        ("rss_growth <= baseline - 200%", ("rss_growth", "<=", -200, "%", True)),
        ('metric("x").mean <= baseline - 200%', ('metric("x").mean', "<=", -200, "%", True)),
        ("cpu_per_request <= baseline + 5%", ("cpu_per_request", "<=", 5, "%", True)),
        ("cpu_per_request < 600us", ("cpu_per_request", "<", 0.6, "ms", False)),
        ("rss_max < 500MB", ("rss_max", "<", 500e6, "B", False)),
        ("rss_growth < 1MB/min", ("rss_growth", "<", 1e6, "B/min", False)),
        ("rss_growth <= baseline + 2 KiB / min", ("rss_growth", "<=", 2048, "B/min", True)),
        ("rss_growth < 0MB/min", ("rss_growth", "<", 0, "B/min", False)),
        ("mean <= baseline", ("mean", "<=", 0, "%", True)),
        ('metric("pool_in_use").max <= 18', ('metric("pool_in_use").max', "<=", 18, "", False)),
        ("metric( 'took_seconds' ).Average < 20 ms", ('metric("took_seconds").mean', "<", 0.02, "s", False)),
        ("""metric('x{a="b"}').rate > 5/s""", ("""metric('x{a="b"}').rate""", ">", 5, "/s", False)),
        ('metric("a_bytes_total").rate < 3MB/s', ('metric("a_bytes_total").rate', "<", 3e6, "/s", False)),
        (
            'metric("hits").rate / metric("reads").rate >= 80%',
            ('metric("hits").rate / metric("reads").rate', ">=", 0.8, "", False),
        ),
        ('metric("x").mean <= baseline + 10%', ('metric("x").mean', "<=", 10, "%", True)),
    ],
)
def test_a_requirement_is_read(text: str, meaning: tuple[str, str, float, str, bool]) -> None:
    read = parse_requirement(text)
    assert (read.metric, read.comparator, read.value, read.unit, read.baseline) == meaning
    assert read.source == text


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("p95 no step up", ("p95", "up", "<=", "ms")),
        ("throughput No Step down", ("throughput", "down", ">=", "/s")),
        ("cpu_per_request no step up", ("cpu_per_request", "up", "<=", "ms")),
    ],
)
def test_a_step_is_a_requirement_without_a_limit(text: str, meaning: tuple[str, str, str, str]) -> None:
    read = parse_requirement(text)
    assert (read.metric, read.step, read.comparator, read.unit) == meaning
    assert (read.baseline, read.percent, read.source) == (True, False, text)


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ('metric("x") < 3', "series-statistic-unknown", {"word": ""}),
        ('metric("x").maxx < 3', "series-statistic-unknown", {"word": "maxx", "alternatives": "max"}),
        ('metric("").max < 3', "series-without-name", {}),
        ("metric(x).max < 3", "requirement-unexpected-word", {"column": 7}),
        ('metric("x").max < 3ms', "limit-of-wrong-unit", {"unit": "ms"}),
        ("p95 < 500", "limit-without-unit", {"text": "p95 < 500", "meant": "p95 < 500ms"}),
        ("p95 < 0.5", "limit-without-unit", {"text": "p95 < 0.5", "meant": "p95 < 0.5s"}),
        ("throughput > 5", "limit-without-unit", {"text": "throughput > 5", "meant": "throughput > 5/s"}),
        ("error_rate < 0.01", "limit-without-unit", {"text": "error_rate < 0.01", "meant": "error_rate < 1%"}),
        ("error_rate < 2", "limit-without-unit", {"text": "error_rate < 2", "meant": "error_rate < 2%"}),
        (
            "p95 <= baseline + 10",
            "limit-without-unit",
            {"text": "p95 <= baseline + 10", "meant": "p95 <= baseline + 10%"},
        ),
        ("error_rate < 5ms", "limit-of-wrong-unit", {"text": "error_rate < 5ms", "unit": "ms", "metric": "error_rate"}),
        (
            "throughput > 10 rps",
            "limit-of-wrong-unit",
            {"text": "throughput > 10 rps", "unit": "rps", "metric": "throughput"},
        ),
        ("p95 < 5%", "limit-of-wrong-unit", {"text": "p95 < 5%", "unit": "%", "metric": "p95"}),
        (
            "p95 <= baseline + 10/s",
            "limit-of-wrong-unit",
            {"text": "p95 <= baseline + 10/s", "unit": "/s", "metric": "p95"},
        ),
        ("rss_growth < 1MB", "limit-of-wrong-unit", {"text": "rss_growth < 1MB", "unit": "MB"}),
        ("p95 < 5ms/s", "limit-of-wrong-unit", {"text": "p95 < 5ms/s", "unit": "ms/s"}),
        ("p98 < 5ms", "metric-unknown", {"text": "p98 < 5ms", "word": "p98", "alternatives": "p99"}),
        ("rps > 40/s", "metric-unknown", {"text": "rps > 40/s", "word": "rps", "alternatives": "throughput"}),
        (
            "zebra > 40/s",
            "metric-unknown",
            {
                "text": "zebra > 40/s",
                "word": "zebra",
                "alternatives": list(RUN_METRICS),
            },
        ),
        ("p95 = 5ms", "comparison-misspelled", {"text": "p95 = 5ms", "word": "=", "meant": "p95 <= 5ms"}),
        ("p95 ≤ 5ms", "comparison-misspelled", {"text": "p95 ≤ 5ms", "word": "≤", "meant": "p95 <= 5ms"}),
        ("p95 != 5ms", "comparison-unknown", {"text": "p95 != 5ms", "word": "!=", "known": ("<", "<=", ">", ">=")}),
        ("p95 < -5ms", "limit-with-sign", {"text": "p95 < -5ms", "meant": "5ms"}),
        ("p95 < 0ms", "limit-never-holds", {"text": "p95 < 0ms"}),
        ("p95 <= baseline - 200%", "limit-without-baseline-left", {"text": "p95 <= baseline - 200%"}),
        ("throughput >= baseline - 100%", "limit-without-baseline-left", {"text": "throughput >= baseline - 100%"}),
        ("error_rate <= baseline - 101%", "limit-without-baseline-left", {"text": "error_rate <= baseline - 101%"}),
        (
            "error_rate < 120%",
            "limit-out-of-range",
            {"text": "error_rate < 120%", "metric": "error_rate", "most": 100.0, "unit": "%"},
        ),
        ("p95", "requirement-incomplete", {"text": "p95", "expected": ["a comparison (<, <=, >, >=)", '"no step"']}),
        ("p95 no step", "requirement-incomplete", {"text": "p95 no step", "expected": ['"up" or "down"']}),
        ("p95 no step down", "step-that-improves", {"text": "p95 no step down", "meant": "p95 no step up"}),
        ("rps no step down", "metric-unknown", {"word": "rps", "alternatives": "throughput"}),
        (
            "p95 < ms",
            "requirement-unexpected-word",
            {"text": "p95 < ms", "expected": ["a number", '"baseline"'], "column": 7},
        ),
        ("p95 < 1,000ms", "requirement-unexpected-character", {"text": "p95 < 1,000ms", "character": ",", "column": 8}),
        ("p95 < 5ms and", "requirement-incomplete", {"text": "p95 < 5ms and", "expected": ["a metric"]}),
        ("", "requirement-invalid", {"text": ""}),
        (500, "requirement-invalid", {"text": 500}),
        (" or ".join(["p95 > 1s"] * 100), "requirement-too-long", {"length": 1196, "most": 1000}),
        ("p95 < 1s and p50 < 1s", "requirement-joined", {"text": "p95 < 1s and p50 < 1s"}),
    ],
)
def test_an_invalid_requirement_is_rejected(text: object, code: str, params: dict[str, object]) -> None:
    assert_invalid(parse_requirement, text, code, params)


def test_and_binds_closer_than_or() -> None:
    condition = parse_limit("p95 > 500ms or error_rate > 1% AND p50 > 2s")
    assert [[part.source for part in group] for group in condition.any_of] == [
        ["p95 > 500ms"],
        ["error_rate > 1%", "p50 > 2s"],
    ]
    assert condition.source == "p95 > 500ms or error_rate > 1% AND p50 > 2s"


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ("error_rate > 1% or p95 <= 500ms", "limit-true-from-start", {"text": "p95 <= 500ms", "meant": "p95 >= 500ms"}),
        ("p95 > baseline + 10%", "limit-with-baseline", {"text": "p95 > baseline + 10%"}),
        ("p95 no step up", "limit-with-baseline", {"text": "p95 no step up"}),
        (
            "cpu_per_request > 6ms",
            "limit-on-target",
            {"text": "cpu_per_request > 6ms", "metric": "cpu_per_request"},
        ),
    ],
)
def test_a_limit_that_cannot_break_is_rejected(text: str, code: str, params: dict[str, object]) -> None:
    assert_invalid(parse_limit, text, code, params)


def test_a_throughput_can_be_a_limit_from_either_side() -> None:
    assert parse_limit("throughput > 900/s or throughput < 5/s").any_of[1][0].comparator == "<"


@given(
    st.sampled_from(list(RUN_METRICS)),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.integers(1, 99),
    st.sampled_from(["", " "]),
)
def test_every_metric_is_read_with_its_own_unit(metric: str, comparator: str, value: int, space: str) -> None:
    units = {"error_rate": "%", "throughput": "/s", "rss_max": "B", "rss_growth": "B/min", "capacity": "/s"}
    units |= dict.fromkeys(("capacity_users", "queries_per_request", "contract_breaches"), "") | {"recovery_time": "s"}
    unit, after = units.get(metric, "ms"), ' after "x"' if metric == "recovery_time" else ""
    read = parse_requirement(f"{metric}{space}{comparator}{space}{value}{space}{unit}{after}")
    assert (read.metric, read.comparator, read.value, read.unit) == (metric, comparator, value, unit)


@pytest.mark.slow
@given(st.text(max_size=30))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    with contextlib.suppress(InvalidValue):
        assert parse_limit(text).source == text.strip()
