"""Nights in a row, pooled: noise is not failed more often than stated, and a change that no night shows is found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.pooled import MOST_NIGHTS, pooled_against
from harness.metrics import RUN_METRICS
from harness.record.measurement import Interval

TRIALS = 1500
STATED = 0.025
"""How often a row of nights ends in a fail for a change at the limit."""


def figure(rng: np.random.Generator, change: float, between: float, within: float) -> Interval:
    """A P95 whose true value is 100 ms times ``change``, with this run's own noise."""
    value = 100 * change * math.exp(between * rng.standard_normal() + within * rng.standard_normal())
    return Interval(value=value, low=value * math.exp(-1.96 * within), high=value * math.exp(1.96 * within))


def found(change: float, between: float, within: float, *, before: int = 6) -> float:
    """How often a row of nights, checked each night, is beyond a limit of 10 % above the runs before it."""
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(TRIALS):
        reference = [figure(rng, 1.0, between, within) for _ in range(before)]
        nights = [figure(rng, change, between, within) for _ in range(MOST_NIGHTS)]
        limit = math.log(1.1) + np.log([run.value for run in reference]).mean()
        sums = np.log([night.value for night in nights]).cumsum()
        for count in range(2, MOST_NIGHTS + 1):
            if sums[count - 1] <= count * limit:
                continue  # the interval begins below the limit, too
            baseline, seen = pooled_against(nights[:count], reference, RUN_METRICS["p95"])
            if seen.low > 1.1 * baseline:
                hits += 1
                break
    return hits / TRIALS


@pytest.mark.slow
@pytest.mark.parametrize(("between", "within", "before"), [(0.0, 0.03, 3), (0.03, 0.01, 6), (0.08, 0.02, 3)])
def test_a_change_at_the_limit_is_failed_no_more_often_than_stated(between: float, within: float, before: int) -> None:
    error = 3 * math.sqrt(STATED / TRIALS)
    assert found(1.1, between, within, before=before) <= STATED + error


def test_an_unchanged_build_is_hardly_ever_failed() -> None:
    assert found(1.0, 0.08, 0.02) < 0.003


@pytest.mark.slow
def test_a_change_that_one_night_cannot_tell_is_found_by_several() -> None:
    assert found(1.2, 0.04, 0.02, before=10) > 0.93


def test_a_real_change_does_not_count_as_noise() -> None:
    apart = [Interval(value=value, low=value, high=value) for value in (150.0, 151.0)]
    before = [Interval(value=value, low=value, high=value) for value in (100.0, 101.0, 99.0)]
    _, seen = pooled_against(apart, before, RUN_METRICS["p95"])
    assert seen.low > 125


def test_shares_are_compared_by_difference_and_never_below_none() -> None:
    nights = [Interval(value=0.1, low=0.0, high=0.4), Interval(value=0.2, low=0.0, high=None)]
    before = [Interval(value=0.0, low=0.0, high=0.3)] * 3
    baseline, seen = pooled_against(nights, before, RUN_METRICS["error_rate"])
    assert (baseline, seen.low, seen.high) == (0.0, 0.0, None)
    assert seen.value == pytest.approx(0.15)


def test_nights_are_pooled_with_the_noise_that_was_calibrated_where_they_show_less() -> None:
    alike = [Interval(value=100, low=99.9, high=100.1)] * 4

    def wide(calibrated: float | None) -> float:
        _, seen = pooled_against(alike, alike, RUN_METRICS["p95"], calibrated)
        return math.log(seen.value / seen.low)

    assert wide(0.06) == pytest.approx(4 * wide(None))
    assert wide(0.001) == wide(None)
