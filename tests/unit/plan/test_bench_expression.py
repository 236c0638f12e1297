"""Gates on benchmarks: what they mean, which benchmarks they cover, and how meaningless ones are rejected."""

from __future__ import annotations

import pytest

from harness.plan.bench import name_of, reads
from harness.plan.expression import parse_bench_gate, parse_requirement
from tests.unit.plan.support import assert_invalid


@pytest.mark.parametrize(
    ("source", "meaning"),
    [
        ('bench("test_a").mean < 5us', ("test_a", "mean", "<", 5e-6, "s", False, False)),
        ("bench('test_a[1]').p99.9 <= 1.1 ms", ("test_a[1]", "p99.9", "<=", 0.0011, "s", False, False)),
        ('BENCH( "test_*" ).MIN < 900ns', ("test_*", "min", "<", 9e-7, "s", False, False)),
        ('bench("a").ops >= 450/s', ("a", "ops", ">=", 450.0, "/s", False, False)),
        ('bench("a").rounds >= 5', ("a", "rounds", ">=", 5.0, "", False, False)),
        ('bench("a").peak < 2MiB', ("a", "peak", "<", 2.0**21, "B", False, False)),
        ('bench("a").mean <= baseline + 5%', ("a", "mean", "<=", 5.0, "s", True, True)),
        ('bench("a").mean <= baseline + 20us', ("a", "mean", "<=", 2e-5, "s", False, True)),
        ('bench("a").ops >= baseline - 5%', ("a", "ops", ">=", -5.0, "/s", True, True)),
        ('bench("a").allocations <= baseline', ("a", "allocations", "<=", 0.0, "", True, True)),
    ],
)
def test_a_gate_on_a_benchmark_is_read(source: str, meaning: tuple[object, ...]) -> None:
    gate = parse_bench_gate(source)
    found = (gate.benchmark, gate.metric, gate.comparator, gate.value, gate.unit, gate.percent, gate.baseline)
    assert found == meaning
    assert gate.source == source


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ("", "requirement-invalid", {"text": ""}),
        ("p95 < 5ms", "requirement-without-benchmark", {"text": "p95 < 5ms"}),
        (
            "bench(a).mean < 5us",
            "requirement-unexpected-word",
            {"text": "bench(a).mean < 5us", "expected": ["a benchmark's name in quotes"], "column": 7},
        ),
        (
            'bench("a") < 5us',
            "requirement-unexpected-word",
            {"text": 'bench("a") < 5us', "expected": ["a dot"], "column": 12},
        ),
        ('bench("").mean < 5us', "benchmark-name-empty", {"text": 'bench("").mean < 5us'}),
        (
            'bench("a").avg < 5us',
            "metric-unknown",
            {"text": 'bench("a").avg < 5us', "word": "avg", "alternatives": "mean"},
        ),
        (
            'bench("a").mean = 5us',
            "comparison-misspelled",
            {"text": 'bench("a").mean = 5us', "word": "=", "meant": 'bench("a").mean <= 5us'},
        ),
        ('bench("a").mean < 5', "limit-without-unit", {"text": 'bench("a").mean < 5', "metric": "mean"}),
        (
            'bench("a").mean < 5/s',
            "limit-of-wrong-unit",
            {"text": 'bench("a").mean < 5/s', "unit": "/s", "metric": "mean"},
        ),
        (
            'bench("a").rounds > 5s',
            "limit-of-wrong-unit",
            {"text": 'bench("a").rounds > 5s', "unit": "s", "metric": "rounds"},
        ),
        (
            'bench("a").mean <= baseline + 5',
            "limit-without-unit",
            {"text": 'bench("a").mean <= baseline + 5', "metric": "mean"},
        ),
        ('bench("a").mean < -5us', "limit-with-sign", {"text": 'bench("a").mean < -5us', "meant": "5us"}),
        (
            f'bench("a").mean < {"9" * 400}s',
            "limit-too-large",
            {"most": 1e15},
        ),
        (
            f'bench("a").mean < baseline + {"9" * 400}%',
            "limit-too-large",
            {"most": 1e15},
        ),
        (
            'bench("a").mean < 5us and p95 < 3ms',
            "requirement-unexpected-word",
            {"text": 'bench("a").mean < 5us and p95 < 3ms', "expected": ["the end"], "column": 23},
        ),
    ],
)
def test_what_means_nothing_is_rejected(text: str, code: str, params: dict[str, object]) -> None:
    assert_invalid(parse_bench_gate, text, code, params)


def test_a_run_has_no_benchmarks() -> None:
    assert_invalid(parse_requirement, 'bench("a").mean < 5us', "requirement-on-benchmark", {})


@pytest.mark.parametrize(
    ("pattern", "test", "meant"),
    [
        ("test_a", "m/test_x.py::test_a", True),
        ("test_a", "m/test_x.py::test_ab", False),
        ("test_a", "m/test_x.py::TestC::test_a[1-2]", True),
        ("test_a[1]", "m/test_x.py::test_a[1]", True),
        ("test_a[1]", "m/test_x.py::test_a[12]", False),
        ("test_*", "m/test_x.py::test_a", True),
        ("m/test_x.py::test_a", "m/test_x.py::test_a", True),
        ("m/*", "m/test_x.py::test_a", True),
        ("test_?", "m/test_x.py::test_a", False),
        ("test_a", "m[old]/test_x.py::test_a[1]", True),
    ],
)
def test_a_name_means_a_test_its_parameters_or_a_pattern(pattern: str, test: str, meant: bool) -> None:
    assert reads(pattern, test) is meant


def test_the_name_of_a_test_keeps_its_parameters() -> None:
    assert name_of("m/test_x.py::TestC::test_a[b::c]") == "test_a[b::c]"
    assert name_of("m[old]/test_x.py::TestC::test_a[b::c]") == "test_a[b::c]"
