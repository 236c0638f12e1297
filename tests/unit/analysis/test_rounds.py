"""Intervals of rounds: as wide as rounds differ, honest where they are few, and down to the least where others ran."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.rounds import interval_of
from harness.metrics import BENCH_METRICS
from harness.record.measurement import Interval
from harness.record.suite import Benchmark, MemoryFigures, Rounds


def benchmark(rounds: Rounds, taken: float = 0.0) -> Benchmark:
    return Benchmark("test_x.py::test_a", "test_a", None, 2, rounds, waited_s=taken * 2 * float(rounds.sum()))


def found(rounds: Rounds, metric: str, taken: float = 0.0) -> Interval:
    interval = interval_of(benchmark(rounds, taken), BENCH_METRICS[metric], None)
    assert interval is not None
    return interval


def drawn(count: int, seed: int) -> Rounds:
    return np.random.default_rng(seed).lognormal(0.0, 0.3, count) * 1e-6


@pytest.mark.parametrize(
    ("metric", "truth"),
    [("mean", np.exp(0.045) * 1e-6), ("median", 1e-6), ("p95", np.exp(0.3 * 1.6449) * 1e-6)],
)
def test_19_of_20_intervals_hold_the_truth(metric: str, truth: float) -> None:
    held = 0
    for seed in range(200):
        interval = found(drawn(400, seed), metric)
        held += interval.low <= truth <= (interval.high or np.inf)
    assert held >= 184  # 190 are expected; fewer than 184 occur by chance once in 30 times


def test_rounds_that_go_together_make_a_wide_interval() -> None:
    alone = drawn(1000, 1)
    together = np.repeat(drawn(50, 1), 20)
    assert width(found(together, "mean")) > 2.5 * width(found(alone, "mean"))


def width(interval: Interval) -> float:
    assert interval.high is not None
    return interval.high - interval.low


def test_one_round_bounds_nothing() -> None:
    one = np.array([2e-3])
    for metric in ("mean", "median", "p95", "stddev"):
        assert found(one, metric).high is None
    assert found(one, "max") == Interval(value=2e-3, low=2e-3, high=2e-3)


def test_a_percentile_of_few_rounds_has_no_upper_end() -> None:
    assert found(drawn(40, 1), "p99").high is None
    assert found(drawn(40, 1), "median").high is not None


def test_ops_is_the_means_inverse() -> None:
    mean, ops = found(drawn(100, 1), "mean"), found(drawn(100, 1), "ops")
    assert mean.high is not None
    assert (ops.value, ops.low, ops.high) == pytest.approx((1 / mean.value, 1 / mean.high, 1 / mean.low))


def test_where_others_had_the_core_a_time_may_really_be_less() -> None:
    rounds = drawn(400, 1)
    quiet, taken = found(rounds, "mean"), found(rounds, "mean", taken=0.3)
    assert taken.low == pytest.approx(0.7 * quiet.low)
    assert (taken.value, taken.high) == (quiet.value, quiet.high)
    assert found(rounds, "p95", taken=0.3).low == pytest.approx(0.7 * rounds.min())
    assert found(rounds, "min", taken=0.3).low == pytest.approx(0.7 * rounds.min())
    assert found(rounds, "rounds", taken=0.3) == found(rounds, "rounds")
    assert found(rounds, "ops", taken=0.3).high == pytest.approx((found(rounds, "ops").high or 0) / 0.7)
    assert found(rounds, "ops", taken=1.0).high is None


def test_all_waiting_of_a_test_may_have_been_in_its_few_rounds() -> None:
    few = Benchmark("test_x.py::test_a", "test_a", None, 10, np.array([0.01, 0.01]), waited_s=0.05)
    assert few.taken == pytest.approx(0.25)  # of 2 rounds of 10 calls each, however long calibration took besides
    assert Benchmark("test_x.py::test_a", "test_a", None, 1, np.array([0.01]), waited_s=2.0).taken == 1.0


def test_memory_is_what_was_counted() -> None:
    memory = MemoryFigures(peak_bytes=2048, allocations=7, allocated_bytes=4096)
    assert interval_of(benchmark(drawn(5, 1)), BENCH_METRICS["peak"], memory) == Interval(
        value=2048, low=2048, high=2048
    )
    assert interval_of(benchmark(drawn(5, 1)), BENCH_METRICS["allocations"], None) is None
