"""Steps of a series are found where they are; noise, wandering and single outliers are none."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.change_points import change_points

TRIALS = 300
NOISE = 0.03
FLOOR = 0.015


def noise(
    rng: np.random.Generator, n: int, phi: float, outliers: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    drawn = rng.standard_normal(n) * NOISE
    for at in range(1, n):
        drawn[at] = phi * drawn[at - 1] + np.sqrt(1 - phi**2) * drawn[at]
    return drawn + np.where(rng.random(n) < outliers, 0.5, 0.0)


@pytest.mark.parametrize("n", [8, 30, 100])
@pytest.mark.parametrize(("phi", "outliers", "most"), [(0.0, 0.0, 0.02), (0.0, 0.05, 0.06), (0.3, 0.05, 0.07)])
def test_a_series_without_a_step_seldom_shows_one(n: int, phi: float, outliers: float, most: float) -> None:
    rng = np.random.default_rng(3)
    assert np.mean([bool(change_points(noise(rng, n, phi, outliers), FLOOR)) for _ in range(TRIALS)]) <= most


@pytest.mark.parametrize(("size", "outliers", "least"), [(0.2, 0.0, 0.98), (-0.2, 0.0, 0.98), (0.1, 0.03, 0.75)])
def test_a_step_is_found_where_it_is(size: float, outliers: float, least: float) -> None:
    rng = np.random.default_rng(4)
    step = np.where(np.arange(40) >= 25, size, 0.0)
    found = [change_points(noise(rng, 40, 0.0, outliers) + step, FLOOR) for _ in range(TRIALS)]
    assert np.mean([any(abs(at - 25) <= 1 for at in each) for each in found]) >= least
    assert np.mean([len(each) for each in found]) < 1.1


def test_a_new_level_shows_after_three_runs_and_several_are_distinguished() -> None:
    assert change_points([0.0, 0.01, -0.01, 0.0, 0.01, 0.3, 0.31], FLOOR) == []
    assert change_points([0.0, 0.01, -0.01, 0.0, 0.01, 0.3, 0.31, 0.3], FLOOR) == [5]
    assert change_points([0.0] * 6 + [0.3] * 5 + [0.1] * 6, FLOOR) == [6, 11]


def test_what_never_changes_or_is_too_short_has_no_step() -> None:
    assert change_points([], FLOOR) == []
    assert change_points([1.0], FLOOR) == []
    assert change_points([1.0, 1.0, 9.0, 9.0], FLOOR) == []
    assert change_points([1.0] * 50, FLOOR) == []
    assert change_points([0.0] * 25 + [FLOOR / 2] * 25, FLOOR) == []
