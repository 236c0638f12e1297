"""The distributions are those of ``scipy.special``, over all that intervals ask for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.distributions import beta_cdf, normal_quantile, student_cdf, student_quantile

counts = st.floats(-9, 7).map(lambda power: 10**power)
"""Effective requests inside or outside of a percentile: from next to none to ten million."""
degrees = st.floats(0, 6).map(lambda power: 10**power)


@given(a=counts, b=counts, deviations=st.floats(-8, 8))
def test_the_beta_distribution_is_known_near_its_mean(a: float, b: float, deviations: float) -> None:
    from scipy.special import betainc  # here: it takes 0.2 s of CPU to import

    mean = a / (a + b)
    x = min(max(mean + deviations * math.sqrt(mean * (1 - mean) / (a + b + 1)), 0.0), 1.0)
    assert beta_cdf(a, b, x) == pytest.approx(float(betainc(a, b, x)), abs=1e-6)


@given(degrees=degrees, t=st.floats(-50, 50))
def test_students_t_has_the_tails_of_its_degrees(degrees: float, t: float) -> None:
    from scipy.special import stdtr

    assert student_cdf(degrees, t) == pytest.approx(float(stdtr(degrees, t)), rel=1e-6, abs=1e-8)


@given(degrees=degrees, p=st.one_of(st.floats(1e-9, 0.49), st.floats(0.51, 1 - 1e-6)))
def test_quantiles_of_students_t_bound_that_share(degrees: float, p: float) -> None:
    from scipy.special import stdtrit

    assert student_quantile(degrees, p) == pytest.approx(float(stdtrit(degrees, p)), rel=1e-6)


def test_the_edges_of_the_distributions_are_exact() -> None:
    assert (beta_cdf(2, 3, 0), beta_cdf(2, 3, 1), beta_cdf(0, 3, 0), beta_cdf(0, 3, 0.5)) == (0, 1, 1, 1)
    assert student_quantile(5, 0.5) == student_cdf(5, 0.0) - 0.5 == 0
    assert student_quantile(math.inf, 0.975) == normal_quantile(0.975)
    assert student_cdf(math.inf, normal_quantile(0.3)) == pytest.approx(0.3, rel=1e-12)
    assert normal_quantile(0.975) == pytest.approx(1.959963984540054, rel=1e-12)
