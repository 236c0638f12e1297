"""When iterations should start in the open model: arrival times of a rate that runs linearly within segments.

Evenly spaced arrivals: arrival ``k`` (0, 1, …) is due when the integral of the rate reaches ``k + ½`` of an arrival
(k6's constant and ramping arrival rate; the half keeps the first and the last interval alike). Poisson arrivals: the
gaps of that integral are exponential instead (Çinlar 1975, inversion of the integrated rate), so bursts are as in life.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple


class RateSegment(NamedTuple):
    """The rate (arrivals/s) goes linearly from ``start`` to ``end`` in ``duration_s``."""

    start: float
    end: float
    duration_s: float

    @property
    def arrivals(self) -> float:
        """How many arrivals the stretch holds (the integral of the rate)."""
        return (self.start + self.end) / 2 * self.duration_s

    def time_of(self, count: float) -> float:
        """When ``count`` arrivals of this segment have come, in seconds from its start (0 ≤ count ≤ ``arrivals``)."""
        slope = (self.end - self.start) / self.duration_s
        if abs(slope) * self.duration_s < 1e-9 * max(self.start, self.end):
            return count / self.start
        # start·t + slope·t²/2 = count, in the form that does not cancel for small slopes.
        root = math.sqrt(max(0.0, self.start**2 + 2 * slope * count))
        return 2 * count / (self.start + root)


def arrival_times(segments: list[RateSegment], *, spacing: str, seed: str) -> Iterator[float]:
    """The time of every arrival, in seconds from the first stretch's start, ascending."""
    counts = _even_counts() if spacing == "even" else _poisson_counts(random.Random(seed))
    begun_s = 0.0
    before = 0.0
    count = next(counts)
    for segment in segments:
        after = before + segment.arrivals
        while count < after:
            yield begun_s + segment.time_of(count - before)
            count = next(counts)
        before = after
        begun_s += segment.duration_s


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


class ArrivalPartition(Iterator[float]):
    """One worker's part of the whole ``times`` (ascending): every ``workers``-th, beginning with number ``worker``.

    On the way the parts may change, as when a worker was lost: :meth:`change`.
    """

    def __init__(self, times: Iterator[float], worker: int, workers: int) -> None:
        self._arrivals: Iterator[tuple[int, float]] = enumerate(times)
        self._worker, self._workers = worker, workers
        self._parts = [(-math.inf, worker, workers)]
        """From when on it has which share, ascending."""
        self._in_force = 0
        self._until_s = math.inf
        """When the next share comes into force."""
        self._looked_at: list[tuple[int, float]] = []
        """From behind the last arrival but one that was given, to the last: they may be of another share yet."""

    def __next__(self) -> float:
        looked_at = self._looked_at
        looked_at.clear()
        for arrival in self._arrivals:
            looked_at.append(arrival)
            number, at_s = arrival
            if at_s >= self._until_s:
                self._follow(at_s)
            if number % self._workers == self._worker:
                return at_s
        raise StopIteration

    def change(self, from_s: float, worker: int, workers: int) -> None:
        """Arrivals from ``from_s`` on, not before that of an earlier call, are shared out in this way.

        The arrival that was given last counts as not given: it is given again if it belongs to this worker still. So
        where all workers change at one moment, at which none has used a later arrival, each arrival is used once.
        """
        self._parts.append((from_s, worker, workers))
        self._arrivals = chain(self._looked_at, self._arrivals)
        self._looked_at = []
        self._in_force = 0
        self._follow(-math.inf)

    def _follow(self, at_s: float) -> None:
        """Have the share in force that is due at ``at_s``, which is not before that of the one in force."""
        after = self._in_force + 1
        while after < len(self._parts) and self._parts[after][0] <= at_s:
            after += 1
        self._in_force = after - 1
        _, self._worker, self._workers = self._parts[self._in_force]
        self._until_s = self._parts[after][0] if after < len(self._parts) else math.inf
