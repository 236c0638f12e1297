"""Simulated response times: independent, or around levels that wander from second to second."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Latency = Callable[[np.random.Generator, Floats, str], Floats]


def lognormal(median_ms: float = 20.0, sigma: float = 0.4) -> Latency:
    """Independent response times."""

    def draw(rng: np.random.Generator, at_s: Floats, endpoint: str) -> Floats:
        del endpoint
        drawn: Floats = median_ms * np.exp(sigma * rng.standard_normal(len(at_s)))
        return drawn

    return draw


@cache
def bursty(median_ms: float = 20.0, sigma: float = 0.4, *, spread: float = 0.15, seed: int = 0) -> Latency:
    """Response times that share each second's fortune: a level that wanders from second to second.

    The level's logarithm is an AR(1) process of coefficient 0.6 and standard deviation ``spread``: what garbage
    collections, neighbours and caches do to a real target.
    """
    noise, phi = np.random.default_rng(seed), 0.6
    steps = noise.standard_normal(20_000) * spread * np.sqrt(1 - phi**2)
    first = noise.standard_normal() * spread
    # Of plain floats: numpy's take ten times as long one by one.
    level = np.array([*accumulate(steps[1:].tolist(), lambda before, step: phi * before + step, initial=float(first))])

    def draw(rng: np.random.Generator, at_s: Floats, endpoint: str) -> Floats:
        del endpoint
        second = at_s.astype(int) % len(level)
        drawn: Floats = median_ms * np.exp(sigma * rng.standard_normal(len(at_s)) + level[second])
        return drawn

    return draw
