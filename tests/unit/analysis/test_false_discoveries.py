"""Of many tests, those count that chance does not explain."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.false_discoveries import highest_that_counts

RATE = 0.01


def test_of_many_tests_without_an_effect_hardly_any_counts() -> None:
    rng = np.random.default_rng(1)
    trials = [highest_that_counts(rng.uniform(size=24).tolist(), RATE) > 0 for _ in range(1000)]
    assert sum(trials) <= 2.5 * RATE * len(trials)


@pytest.mark.parametrize(
    ("p_values", "highest"),
    [([0.6, 1e-6, 0.03, 0.0005, 0.9], 0.0005), ([0.003, 0.003, 0.5], 0.003), ([0.5], -1.0), ([], -1.0)],
)
def test_true_effects_count_among_noise(p_values: list[float], highest: float) -> None:
    assert highest_that_counts(p_values, RATE) == highest
