"""Noisy runs of a baseline count less, but only as far as their noise is what makes runs differ."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.baseline_difference import against
from harness.analysis.random_effects import weights
from harness.metrics import RUN_METRICS
from harness.record.measurement import Interval


def weighed(values: list[float], deviations: list[float]) -> list[float]:
    return list(weights(np.array(values), np.array(deviations)))


def test_runs_that_differ_no_more_than_their_noise_count_by_it() -> None:
    assert weighed([1.0, 1.0, 1.0], [0.1, 0.1, 0.2]) == pytest.approx([4 / 9, 4 / 9, 1 / 9])


def test_the_estimate_of_dersimonian_and_laird_is_the_textbooks() -> None:
    # By hand: precisions 100, 100, 25; mean 4/9; scatter 55.56; scale 225 - 20,625 / 225; between 0.4017.
    found = weighed([0.0, 0.6, 1.6], [0.1, 0.1, 0.2])
    between = (100 * (0.4444) ** 2 + 100 * (0.1556) ** 2 + 25 * (1.1556) ** 2 - 2) / (225 - 20625 / 225)
    expected = np.array([1 / (0.01 + between), 1 / (0.01 + between), 1 / (0.04 + between)])
    assert found == pytest.approx(list(expected / expected.sum()), rel=1e-3)


def test_runs_that_differ_far_more_than_their_noise_count_alike() -> None:
    assert weighed([1.0, 3.0, 5.0], [0.01, 0.01, 0.05]) == pytest.approx([1 / 3] * 3, rel=0.01)


def test_a_run_without_a_bound_does_not_count_beside_others() -> None:
    assert weighed([1.0, 9.0], [0.1, math.inf]) == [1.0, 0.0]
    assert weighed([1.0, 9.0], [math.inf, math.inf]) == [0.5, 0.5]
    assert weighed([1.0], [0.1]) == [1.0]


def p95(value: float, noise: float) -> Interval:
    return Interval(value=value, low=value * math.exp(-noise), high=value * math.exp(noise))


def test_a_noisy_night_moves_a_baseline_little_and_an_unbounded_one_not_at_all() -> None:
    quiet = [p95(100, 0.02)] * 3
    without, _ = against(p95(100, 0.02), quiet, RUN_METRICS["p95"])
    beside, _ = against(p95(100, 0.02), [*quiet, p95(110, 0.3)], RUN_METRICS["p95"])
    assert 0 < beside / without - 1 < 0.01
    unbounded, seen = against(p95(100, 0.02), [*quiet, Interval(value=110, low=90, high=None)], RUN_METRICS["p95"])
    assert unbounded == pytest.approx(without)
    assert seen.low > 90
