"""The robust slope agrees with SciPy's."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.theil_sen import theil_sen


@pytest.mark.slow
@pytest.mark.parametrize("points", [5, 6, 10, 61, 200])
@pytest.mark.parametrize("ties", [False, True])
def test_slope_and_interval_are_those_of_scipy(points: int, ties: bool) -> None:
    from scipy.stats import theilslopes  # here: it takes 0.7 s of CPU to import

    rng = np.random.default_rng(points)
    for _ in range(20):
        x = np.cumsum(rng.uniform(0.5, 1.5, points))
        y = rng.normal(size=points) + rng.uniform(-1, 1) * x
        if ties:
            x, y = x.round(1), y.round(0)
        expected = theilslopes(y, x)
        assert theil_sen(x, y) == pytest.approx((expected[0], expected[2], expected[3]))
