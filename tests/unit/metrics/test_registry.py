"""Each metric is declared once, and everything that reads metrics knows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from harness.analysis import intervals, rounds, target_usage
from harness.metrics import BENCH_METRICS, REQUEST_METRICS, RUN_METRICS, TARGET_METRICS, synonyms
from harness.metrics.aggregate import Aggregate
from harness.metrics.metric import Metric
from harness.metrics.reference import page
from harness.metrics.rounds import RoundTimes
from harness.metrics.target_usage import TargetUsage
from harness.plan.expression import parse_bench_gate, parse_requirement
from harness.record.histogram import Histogram
from harness.record.suite import Benchmark, MemoryFigures
from tests.support.command import REPOSITORY
from tests.support.samples import sample_of

REGISTRIES: list[Mapping[str, Metric[Any]]] = [RUN_METRICS, BENCH_METRICS]


@pytest.mark.parametrize("metric", RUN_METRICS.values(), ids=lambda metric: metric.name)
def test_the_example_of_a_metric_is_a_gate(metric: Metric[Aggregate]) -> None:
    assert parse_requirement(metric.example).metric == metric.name


@pytest.mark.parametrize("metric", BENCH_METRICS.values(), ids=lambda metric: metric.name)
def test_the_example_of_a_bench_metric_is_a_gate(metric: Metric[RoundTimes]) -> None:
    assert parse_bench_gate(f'bench("test_a").{metric.example}').metric == metric.name


@pytest.mark.parametrize("metric", REQUEST_METRICS.values(), ids=lambda metric: metric.name)
def test_an_interval_is_about_the_value_of_the_aggregate(metric: Metric[Aggregate]) -> None:
    sample = sample_of([[10.0, 20.0, 40.0]] * 12, failures=[1] * 12)
    interval = intervals.interval_of(sample, metric)
    assert interval is not None
    assert interval.value == metric.value(sample.aggregate)


@pytest.mark.parametrize("metric", TARGET_METRICS.values(), ids=lambda metric: metric.name)
def test_an_interval_of_the_target_is_about_its_value(metric: Metric[TargetUsage]) -> None:
    rng = np.random.default_rng(1)
    usage = TargetUsage(
        cpu_s=np.array([0.5, 0.6, 0.4] * 8),
        requests=np.array([100.0, 110.0, 90.0] * 8),
        at_s=np.arange(30.0),
        rss_bytes=1e8 + 1e6 * rng.standard_normal(30),
    )
    interval = target_usage.interval_of(usage, metric)
    assert interval is not None
    assert interval.value == metric.value(usage)
    assert interval.high is not None
    assert interval.low <= interval.value <= interval.high


@pytest.mark.parametrize("metric", BENCH_METRICS.values(), ids=lambda metric: metric.name)
def test_an_interval_of_rounds_is_about_their_value(metric: Metric[RoundTimes]) -> None:
    memory = MemoryFigures(peak_bytes=2048, allocations=7, allocated_bytes=4096)
    times = np.array([1e-3, 2e-3, 4e-3] * 20)
    interval = rounds.interval_of(Benchmark("test_a", "test_a", None, 1, times), metric, memory)
    assert interval is not None
    assert interval.value == metric.value(RoundTimes(times, memory))


@pytest.mark.parametrize("metric", REQUEST_METRICS.values(), ids=lambda metric: metric.name)
def test_no_requests_have_no_value(metric: Metric[Aggregate]) -> None:
    assert metric.value(Aggregate(0, 0, 0, Histogram.empty(), 10.0)) is None


@pytest.mark.parametrize("metrics", REGISTRIES)
def test_a_synonym_means_one_metric_and_is_not_a_metric_itself(metrics: Mapping[str, Metric[Any]]) -> None:
    words = [word for metric in metrics.values() for word in metric.synonyms]
    assert len(words) == len(set(words)) == len(synonyms(metrics))
    assert not set(words) & set(metrics)


def test_the_reference_page_is_what_the_registry_says() -> None:
    kept = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert kept == page(), "renew it with scripts/reference --write"
