"""Histograms count every value within 0.1 %, and merging them loses nothing."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.record.histogram import MAX_VALUE_US, Histogram, bucket_of, buckets_of, highest_of, lowest_of
from tests.support.endpoint_seconds import histogram_of

values = st.integers(min_value=0, max_value=MAX_VALUE_US)
some_values = st.lists(st.one_of(st.integers(0, 5_000), values), max_size=200)


def counts_of(histogram: Histogram) -> dict[int, int]:
    return dict(zip(histogram.indices.tolist(), histogram.counts.tolist(), strict=True))


@given(values)
def test_a_value_lies_in_its_bucket_which_is_narrow(value: int) -> None:
    index = np.array([bucket_of(value)])
    low, high = int(lowest_of(index)[0]), int(highest_of(index)[0])
    assert low <= value <= high
    assert high - low <= value / 1024


@given(values)
def test_buckets_join_without_a_gap(value: int) -> None:
    index = bucket_of(value)
    assert int(highest_of(np.array([index]))[0]) + 1 == int(lowest_of(np.array([index + 1]))[0])


@given(st.lists(st.integers(-10, 2 * MAX_VALUE_US), max_size=50))
def test_an_array_is_counted_as_its_values_are(given_values: list[int]) -> None:
    assert buckets_of(np.array(given_values, dtype=np.int64)).tolist() == [bucket_of(value) for value in given_values]


@given(st.lists(some_values, max_size=4))
def test_merging_is_counting_all_values_at_once(parts: list[list[int]]) -> None:
    merged = Histogram.merged([histogram_of(part) for part in parts])
    whole = histogram_of([value for part in parts for value in part])
    assert counts_of(merged) == counts_of(whole)
    assert (merged.sum_us, merged.max_us) == (whole.sum_us, whole.max_us)


@given(some_values, some_values)
def test_what_is_taken_out_is_gone_and_the_rest_is_left(kept: list[int], taken: list[int]) -> None:
    left = histogram_of([*kept, *taken]).minus(histogram_of(taken))
    assert counts_of(left) == counts_of(histogram_of(kept))
    assert left.sum_us == sum(kept)
    if kept:
        assert max(kept) <= left.max_us <= max(kept) * (1 + 1 / 1024)


@given(st.lists(values, min_size=1, max_size=300), st.floats(0, 1))
def test_a_quantile_is_that_of_the_values_within_a_bucket(given_values: list[int], q: float) -> None:
    exact = float(np.quantile(np.array(given_values), q, method="inverted_cdf"))
    found = histogram_of(given_values).quantile_us(q)
    assert exact <= found <= min(exact * (1 + 1 / 1024), max(given_values))


def test_mean_and_maximum_are_exact() -> None:
    histogram = histogram_of([1, 100_003, 987_654_321])
    assert histogram.mean_us == (1 + 100_003 + 987_654_321) / 3
    assert histogram.quantile_us(1.0) == histogram.max_us == 987_654_321


def test_an_empty_histogram_has_no_figures() -> None:
    for empty in (Histogram.empty(), histogram_of([]), Histogram.merged([])):
        assert empty.count == 0
        assert math.isnan(empty.mean_us)
        assert math.isnan(empty.quantile_us(0.5))
    full = histogram_of([5])
    assert full.minus(Histogram.empty()) is full
