"""Gates on benchmarks: what they mean, which benchmarks they name, and what a user is told of what means nothing."""

from __future__ import annotations

import pytest

from harness.plan.bench import name_of, reads
from harness.plan.bench_expression import parse_bench_gate
from harness.plan.expression import parse_requirement
from harness.plan.problems import InvalidValue


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
    ("source", "message", "hint"),
    [
        ("", '"" is not a requirement', 'write, for example, bench("test_search")'),
        ("p95 < 5ms", '"p95 < 5ms" does not say which benchmark', 'write, for example, bench("test_search")'),
        ("bench(a).mean < 5us", "expected a benchmark's name in quotes", 'write, for example, bench("test_search")'),
        ('bench("a") < 5us', "expected a dot", 'write, for example, bench("test_search")'),
        ('bench("").mean < 5us', "the benchmark's name is empty", 'write, for example, bench("test_search")'),
        ('bench("a").avg < 5us', 'unknown metric "avg"', 'did you mean "mean"?'),
        ('bench("a").mean = 5us', '"=" is not a comparison', 'did you mean "bench("a").mean <= 5us"?'),
        ('bench("a").mean < 5', "a unit is missing", "mean is in ns, us, ms or s"),
        ('bench("a").mean < 5/s', '"/s" is not a unit of mean', "mean is in ns, us, ms or s"),
        ('bench("a").rounds > 5s', '"s" is not a unit of rounds', "a plain number, without a unit"),
        ('bench("a").mean <= baseline + 5', "a unit is missing", "or in % of the baseline: baseline + 5%"),
        ('bench("a").mean < -5us', "a limit has no sign", 'write "5us"'),
        (f'bench("a").mean < {"9" * 400}s', "the number is too large", "write 1e+15 at most"),
        (f'bench("a").mean < baseline + {"9" * 400}%', "the number is too large", "write 1e+15 at most"),
        ('bench("a").mean < 5us and p95 < 3ms', "expected the end", 'write, for example, bench("test_search")'),
    ],
)
def test_what_means_nothing_is_told_with_what_would(source: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidValue) as expected:
        parse_bench_gate(source)
    assert message in expected.value.message
    assert hint in (expected.value.hint or "")


def test_a_run_has_no_benchmarks() -> None:
    with pytest.raises(InvalidValue, match="is a gate of a benchmark"):
        parse_requirement('bench("a").mean < 5us')


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
    ],
)
def test_a_name_means_a_test_its_parameters_or_a_pattern(pattern: str, test: str, meant: bool) -> None:
    assert reads(pattern, test) is meant


def test_the_name_of_a_test_keeps_its_parameters() -> None:
    assert name_of("m/test_x.py::TestC::test_a[b::c]") == "test_a[b::c]"
