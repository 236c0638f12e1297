"""Student's t and the beta distribution, as ``scipy.special`` has them.

Importing that takes 0.2 s of CPU, more than all else that judging a short run takes.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
normal_quantile = _NORMAL.inv_cdf

_LARGE = 3000
"""Above it, for both parameters, the continued fraction takes too many steps."""
_MOST_STEPS = 10_000
_NODES = 24
_TINY = 1e-300


def beta_cdf(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function: how likely a value up to ``x`` is; 1 where ``a`` is 0.

    As Numerical Recipes (3rd edition, 6.4): Lentz's continued fraction, and quadrature where both parameters are large.
    """
    if x <= 0 < a:
        return 0.0
    if x >= 1 or a == 0:
        return 1.0
    if min(a, b) > _LARGE:
        return _integrated(a, b, x)
    if x > (a + 1) / (a + b + 2):  # where the fraction of the other side takes fewer steps
        return 1 - _fraction(b, a, 1 - x, x)
    return _fraction(a, b, x, 1 - x)


def _fraction(a: float, b: float, x: float, rest: float) -> float:
    c, d = 1.0, _inverse(1 - (a + b) * x / (a + 1))
    product = d
    for m in range(1, _MOST_STEPS):
        here = a + 2 * m
        even = m * (b - m) * x / ((here - 1) * here)
        odd = -(a + m) * (a + b + m) * x / (here * (here + 1))
        d, c = _inverse(1 + even * d), 1 + even / c or _TINY
        product *= d * c
        d, c = _inverse(1 + odd * d), 1 + odd / c or _TINY
        product *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return math.exp(_log_density(a, b) + a * math.log(x) + b * math.log(rest)) * product / a


def _inverse(value: float) -> float:
    return 1 / (value or _TINY)


def _log_density(a: float, b: float) -> float:
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)


def _integrated(a: float, b: float, x: float) -> float:
    """The density from ``x`` to where it has vanished, on the nearer side."""
    mean = a / (a + b)
    deviation = math.sqrt(mean * (1 - mean) / (a + b + 1))
    if x > mean:
        end = min(1.0, max(mean + 10 * deviation, x + 5 * deviation))
    else:
        end = max(0.0, min(mean - 10 * deviation, x - 5 * deviation))
    log_mean, log_rest = math.log(mean), math.log(1 - mean)
    top = math.exp(_log_density(a, b) + (a - 1) * log_mean + (b - 1) * log_rest)
    area = 0.0
    for node, weight in _gauss_legendre():
        at = x + (end - x) * node
        area += weight * math.exp((a - 1) * (math.log(at) - log_mean) + (b - 1) * (math.log(1 - at) - log_rest))
    area *= top * (end - x)
    return 1 - area if area > 0 else -area


@cache
def _gauss_legendre() -> list[tuple[float, float]]:
    """Nodes and weights between 0 and 1."""
    from numpy.polynomial.legendre import leggauss  # here: few runs are that large

    return [((node + 1) / 2, weight / 2) for node, weight in zip(*map(list, leggauss(_NODES)), strict=True)]


def student_cdf(degrees: float, t: float) -> float:
    """How likely a value of Student's t up to ``t`` is: with infinite degrees of freedom, as of the normal's."""
    if math.isinf(degrees):
        return _NORMAL.cdf(t)
    square = t * t
    tail = beta_cdf(degrees / 2, 0.5, degrees / (degrees + square)) / 2
    return tail if t < 0 else 1 - tail


@lru_cache(4096)
def student_quantile(degrees: float, p: float) -> float:
    """The value of Student's t up to which a share ``p`` lies."""
    if math.isinf(degrees):
        return normal_quantile(p)
    if p == 0.5:
        return 0.0
    if p > 0.5:
        return -_lower(degrees, 1 - p)
    return _lower(degrees, p)


def _lower(degrees: float, tail: float) -> float:
    """For a ``tail`` below half. Newton's method on logarithms, in which the tail is concave, so it cannot diverge."""
    t, factor = normal_quantile(tail), math.exp(_log_density(degrees / 2, 0.5)) / math.sqrt(degrees)
    for _ in range(_MOST_STEPS):
        reached = student_cdf(degrees, t)
        density = factor * (1 + t * t / degrees) ** (-(degrees + 1) / 2)
        step = math.log(tail / reached) * reached / (t * density)
        t *= math.exp(step)
        if abs(step) < 1e-8:  # the error is now its square
            break
    return t
