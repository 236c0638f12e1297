"""When iterations should start in the open model: arrival times of a rate that runs linearly within segments.

Evenly spaced arrivals: arrival ``k`` (0, 1, …) is due when the integral of the rate reaches ``k + ½`` of an arrival
(k6's constant and ramping arrival rate; the half keeps the first and the last interval alike). Poisson arrivals: the
gaps of that integral are exponential instead (Çinlar 1975, inversion of the integrated rate), so bursts are as in life.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import NamedTuple


class Stretch(NamedTuple):
    """The rate (arrivals/s) goes linearly from ``start`` to ``end`` in ``duration_s``."""

    start: float
    end: float
    duration_s: float

    @property
    def arrivals(self) -> float:
        """How many arrivals the stretch holds (the integral of the rate)."""
        return (self.start + self.end) / 2 * self.duration_s

    def time_of(self, count: float) -> float:
        """When ``count`` arrivals of this stretch have come, in seconds from its start (0 ≤ count ≤ ``arrivals``)."""
        slope = (self.end - self.start) / self.duration_s
        if abs(slope) * self.duration_s < 1e-9 * max(self.start, self.end):
            return count / self.start
        # start·t + slope·t²/2 = count, in the form that does not cancel for small slopes.
        root = math.sqrt(max(0.0, self.start**2 + 2 * slope * count))
        return 2 * count / (self.start + root)


def arrival_times(stretches: list[Stretch], *, spacing: str, seed: str) -> Iterator[float]:
    """The time of every arrival, in seconds from the first stretch's start, ascending."""
    counts = _even_counts() if spacing == "even" else _poisson_counts(random.Random(seed))
    begun_s = 0.0
    before = 0.0
    count = next(counts)
    for stretch in stretches:
        while count - before < stretch.arrivals:
            yield begun_s + stretch.time_of(count - before)
            count = next(counts)
        before += stretch.arrivals
        begun_s += stretch.duration_s


def _even_counts() -> Iterator[float]:
    count = 0.5
    while True:
        yield count
        count += 1.0


def _poisson_counts(rng: random.Random) -> Iterator[float]:
    count = 0.0
    while True:
        count += rng.expovariate(1.0)
        yield count


def share_of(times: Iterator[float], worker: int, workers: int) -> Iterator[float]:
    """Every ``workers``-th arrival, beginning with number ``worker``: one worker's part of the whole."""
    for number, at_s in enumerate(times):
        if number % workers == worker:
            yield at_s
