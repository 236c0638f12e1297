"""Intervals tell the truth about noise: on requests that are not independent they hold the true value about as often
as they say, where the usual ones for independent requests are far off."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis import intervals
from harness.analysis.intervals import block_variance, requests_to_bound, requests_to_show
from harness.analysis.samples import Sample
from harness.metrics import REQUEST_METRICS
from harness.metrics.statistics import Quantile
from harness.record.measurement import Interval
from tests.support.samples import drawn_sample, sample_of

RUNS = 100
METRICS = tuple(REQUEST_METRICS)
QUANTILES = {
    name: metric.statistic.q for name, metric in REQUEST_METRICS.items() if isinstance(metric.statistic, Quantile)
}
PLAIN = ("p50", "p95", "p99", "mean", "error_rate", "throughput")


def interval_of(sample: Sample, metric: str) -> Interval | None:
    return intervals.interval_of(sample, REQUEST_METRICS[metric])


def figure(interval: Interval | None) -> Interval:
    assert interval is not None
    return interval


def holds(interval: Interval, truth: float) -> bool:
    return interval.low <= truth and (interval.high is None or truth <= interval.high)


def truth_of(endless: Sample) -> dict[str, float]:
    """The figures of so long a run that they are the truth."""
    truth: dict[str, float] = {metric: endless.merged.quantile_us(q) / 1000 for metric, q in QUANTILES.items()}
    truth["mean"] = float(endless.sum_us.sum() / endless.timed.sum()) / 1000
    truth["error_rate"] = float(100 * endless.failures.sum() / endless.requests.sum())
    truth["throughput"] = float(endless.requests.sum() / endless.lengths_s.sum())
    return truth


def coverage(seconds: int, phi: float, spread: float) -> dict[str, float]:
    """How often the intervals of runs of this many seconds contain the true figure."""
    rng = np.random.default_rng(7)
    truth = truth_of(drawn_sample(rng, 20_000, phi=phi, spread=spread))
    hits = dict.fromkeys(PLAIN, 0)
    for _ in range(RUNS):
        sample = drawn_sample(rng, seconds, phi=phi, spread=spread)
        for metric in PLAIN:
            hits[metric] += holds(figure(interval_of(sample, metric)), truth[metric])
    return {metric: count / RUNS for metric, count in hits.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "phi"), [(10, 0.5), (30, 0.0), (30, 0.6), (120, 0.6), (120, 0.8)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(seconds: int, phi: float) -> None:
    for metric, share in coverage(seconds, phi, spread=0.2).items():
        assert 0.86 <= share <= 0.995, f"{metric}: {share:.1%}"


def test_an_interval_for_independent_requests_would_be_wrong_most_of_the_time() -> None:
    """The measure of what is gained: the textbook interval of a mean, on the same requests."""
    rng = np.random.default_rng(7)
    truth = truth_of(drawn_sample(rng, 20_000, phi=0.6, spread=0.2))["mean"]
    hits = 0
    for _ in range(RUNS):
        sample = drawn_sample(rng, 30, phi=0.6, spread=0.2)
        count = sample.timed.sum()
        mean = sample.sum_us.sum() / count / 1000
        spread = 0.55 * mean / math.sqrt(count)
        hits += abs(mean - truth) <= 1.96 * spread
    assert hits / RUNS < 0.5


def test_short_phases_get_wide_intervals() -> None:
    rng = np.random.default_rng(3)
    widths = []
    for seconds in (1, 3, 10, 60):
        found = [figure(interval_of(drawn_sample(rng, seconds), "throughput")) for _ in range(40)]
        widths.append(float(np.median([(each.high or math.inf) - each.low for each in found])))
    assert widths == sorted(widths, reverse=True)


def test_a_run_gets_the_same_interval_every_time() -> None:
    first, second = (drawn_sample(np.random.default_rng(11)) for _ in range(2))
    assert [interval_of(first, metric) for metric in METRICS] == [interval_of(second, metric) for metric in METRICS]


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_holds_the_figure_itself(metric: str) -> None:
    rng = np.random.default_rng(5)
    for seconds in (1, 2, 3, 5, 20):
        seen = figure(interval_of(drawn_sample(rng, seconds, per_second=30), metric))
        assert holds(seen, seen.value)


def test_no_failure_of_50_does_not_show_that_none_ever_fails() -> None:
    seen = figure(interval_of(sample_of([[10.0] * 10] * 5), "error_rate"))
    assert (seen.value, seen.low) == (0, 0)
    assert seen.high is not None
    assert seen.high >= 7.1


def test_all_failing_is_bounded_from_below_only() -> None:
    seen = figure(interval_of(sample_of([[10.0] * 10] * 5, failures=[10] * 5), "error_rate"))
    assert (seen.value, seen.high) == (100, 100)
    assert seen.low < 93


def test_failures_that_come_in_bursts_widen_the_error_rate() -> None:
    spread = figure(interval_of(sample_of([[10.0] * 100] * 20, failures=[5] * 20), "error_rate"))
    burst = figure(interval_of(sample_of([[10.0] * 100] * 20, failures=[0] * 19 + [100]), "error_rate"))
    assert spread.value == burst.value == 5
    assert burst.high is not None
    assert spread.high is not None
    assert burst.high > 2 * spread.high


def test_few_requests_bound_no_high_percentile_from_above() -> None:
    few, many = sample_of([[10.0, 11.0, 12.0]] * 20), sample_of([[10.0, 11.0, 12.0] * 20] * 20)
    assert figure(interval_of(few, "p99")).high is None
    assert figure(interval_of(many, "p99")).high == 12


def test_one_request_bounds_nothing() -> None:
    seen = figure(interval_of(sample_of([[600.0]]), "p95"))
    assert (seen.value, seen.low, seen.high) == (600, 0, None)


@pytest.mark.parametrize("values_ms", [[[575.0]], [[575.0], [575.0]], [[575.0], [], [575.0], [], []]])
def test_fewer_than_three_requests_show_no_spread(values_ms: list[list[float]]) -> None:
    sample = sample_of(values_ms)
    mean = intervals.interval_of(sample, REQUEST_METRICS["mean"])
    assert mean == Interval(value=575.0, low=0.0, high=None)
    throughput = intervals.interval_of(sample, REQUEST_METRICS["throughput"])
    assert throughput is not None
    assert throughput.high is not None
    assert throughput.low == 0
    assert throughput.high > 2 * throughput.value


def test_the_mean_of_three_requests_has_two_degrees_of_freedom() -> None:
    mean = intervals.interval_of(sample_of([[10.0], [], [20.0], [], [30.0], [], [], [], []]), REQUEST_METRICS["mean"])
    assert mean is not None
    assert mean.high is not None
    assert mean.high - mean.value >= 4.3 * 10 / 3**0.5


def test_how_many_requests_it_takes() -> None:
    many_seconds = 10**12
    assert [requests_to_bound(q, many_seconds) for q in (0.5, 0.95, 0.99, 0.999)] == [6, 72, 368, 3688]
    assert requests_to_show(0.01, many_seconds) == 381
    assert requests_to_bound(0.95, 10) > 2 * requests_to_bound(0.95, many_seconds)


@pytest.mark.parametrize("seconds", [1, 2, 5, 20, 60])
def test_the_fewest_requests_are_enough_and_fewer_are_not(seconds: int) -> None:
    def bound(metric: str, each: int) -> float | None:
        return figure(interval_of(sample_of([[20.0] * each] * seconds), metric)).high

    for metric, q in QUANTILES.items():
        needed = requests_to_bound(q, seconds)
        assert bound(metric, math.ceil(needed / seconds)) == 20
        if needed > seconds:
            assert bound(metric, (needed - 1) // seconds) is None
    enough = bound("error_rate", math.ceil(requests_to_show(0.01, seconds) / seconds))
    assert enough is not None
    assert enough <= 1


def test_equal_response_times_leave_no_doubt() -> None:
    assert interval_of(sample_of([[20.0] * 100] * 20), "p95") == Interval(value=20, low=20, high=20)


def test_a_maximum_is_exact() -> None:
    assert interval_of(sample_of([[1.0, 17.5]]), "max") == Interval(value=17.5, low=17.5, high=17.5)


@pytest.mark.parametrize("metric", METRICS)
def test_no_request_has_no_figure(metric: str) -> None:
    assert interval_of(sample_of([[], [], []]), metric) is None


def test_requests_without_a_response_time_count_but_are_not_timed() -> None:
    empty = sample_of([[], []])
    untimed = type(empty)(**{**vars(empty), "requests": np.array([3.0, 3.0]), "failures": np.array([3.0, 3.0])})
    assert interval_of(untimed, "p95") is None
    assert figure(interval_of(untimed, "error_rate")).value == 100


def test_the_block_variance_of_independent_seconds_is_theirs() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        values = rng.standard_normal(100)
        found.append(block_variance(values - values.mean())[0])
    assert 95 < float(np.mean(found)) < 135


def test_the_block_variance_sees_what_lasts_longer_than_a_second() -> None:
    rng = np.random.default_rng(2)
    lasting, loose = [], []
    for _ in range(100):
        held = np.repeat(rng.standard_normal(60), 5)
        shuffled = rng.permutation(held)
        lasting.append(block_variance(held - held.mean())[0])
        loose.append(block_variance(shuffled - shuffled.mean())[0])
    assert float(np.mean(lasting)) > 3 * float(np.mean(loose))
