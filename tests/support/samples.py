"""Samples whose truth is known: requests of one second share a level, as with a real target."""

from __future__ import annotations

import numpy as np

from harness.analysis.samples import Floats, Sample
from harness.record.histogram import buckets_of


def wandering(rng: np.random.Generator, seconds: int, *, phi: float, spread: float) -> Floats:
    """An AR(1) process of coefficient ``phi`` and standard deviation ``spread``, one value a second."""
    noise = rng.standard_normal(seconds) * spread * np.sqrt(1 - phi**2)
    level = np.empty(seconds)
    level[0] = rng.standard_normal() * spread
    for at in range(1, seconds):
        level[at] = phi * level[at - 1] + noise[at]
    return level


def drawn_sample(
    rng: np.random.Generator,
    seconds: int = 30,
    *,
    phi: float = 0.5,
    spread: float = 0.15,
    per_second: float = 100,
    median_ms: float = 20,
) -> Sample:
    """``seconds`` seconds of requests: log-normal times around a level that wanders; slow seconds have fewer requests
    and more failures."""
    level = wandering(rng, seconds, phi=phi, spread=spread)
    requests = rng.poisson(per_second * np.exp(-level))
    second = np.repeat(np.arange(seconds), requests)
    values = np.rint(1000 * median_ms * np.exp(0.5 * rng.standard_normal(len(second)) + level[second])).astype(np.int64)
    failed = rng.uniform(size=len(second)) < np.minimum(1, 0.02 * np.exp(2 * level[second]))
    return Sample(
        lengths_s=np.ones(seconds),
        planned=np.ones(seconds),
        requests=requests.astype(float),
        started=requests.astype(float),
        failures=np.bincount(second, weights=failed, minlength=seconds).astype(float),
        timed=requests.astype(float),
        sum_us=np.bincount(second, weights=values, minlength=seconds).astype(float),
        max_us=int(values.max(initial=0)),
        seconds=second,
        buckets=buckets_of(values),
        counts=np.ones(len(values), dtype=np.int64),
    )


def sample_of(values_ms: list[list[float]], failures: list[int] | None = None) -> Sample:
    """A sample of these response times, one list a second."""
    second = np.repeat(np.arange(len(values_ms)), [len(values) for values in values_ms])
    values = np.rint(1000 * np.array([value for values in values_ms for value in values])).astype(np.int64)
    count = np.array([len(values) for values in values_ms], dtype=float)
    return Sample(
        lengths_s=np.ones(len(values_ms)),
        planned=np.ones(len(values_ms)),
        requests=count,
        started=count,
        failures=np.array(failures or [0] * len(values_ms), dtype=float),
        timed=count,
        sum_us=np.bincount(second, weights=values, minlength=len(values_ms)).astype(float),
        max_us=int(values.max(initial=0)),
        seconds=second,
        buckets=buckets_of(values),
        counts=np.ones(len(values), dtype=np.int64),
    )
