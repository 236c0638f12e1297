"""Arrival times in the open model, for a rate that changes linearly within segments.

Evenly spaced arrivals: arrival ``k`` (0, 1, …) is due when the integral of the rate reaches ``k + ½`` (as in k6's
constant and ramping arrival rate; the half makes the first and the last interval alike). Poisson arrivals: the gaps of
that integral are exponential instead (Çinlar 1975, inversion of the integrated rate), which gives realistic bursts.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from itertools import accumulate, chain, repeat
from typing import NamedTuple


class RateSegment(NamedTuple):
    """The rate (arrivals/s) changes linearly from ``start`` to ``end`` in ``duration_s``."""

    start: float
    end: float
    duration_s: float

    @property
    def arrivals(self) -> float:
        """The number of arrivals in the segment (the integral of the rate)."""
        return (self.start + self.end) / 2 * self.duration_s

    def time_of(self, count: float) -> float:
        """The time of the ``count``-th arrival, in seconds from the segment's start (0 ≤ count ≤ ``arrivals``)."""
        slope = (self.end - self.start) / self.duration_s
        if abs(slope) * self.duration_s < 1e-9 * max(self.start, self.end):
            return count / self.start
        # start·t + slope·t²/2 = count, in the form without cancellation for small slopes.
        root = math.sqrt(max(0.0, self.start**2 + 2 * slope * count))
        return 2 * count / (self.start + root)


def arrival_times(segments: list[RateSegment], *, spacing: str, seed: str) -> Iterator[float]:
    """The time of every arrival, in seconds from the start of the first segment, ascending."""
    rng = random.Random(seed)
    counts = itertools.count(0.5) if spacing == "even" else accumulate(map(rng.expovariate, repeat(1.0)))
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


class ArrivalPartition(Iterator[float]):
    """One worker's part of all ``times`` (ascending): every ``workers``-th, beginning with number ``worker``.

    The parts change when a worker is lost: :meth:`change`.
    """

    def __init__(self, times: Iterator[float], worker: int, workers: int) -> None:
        self._arrivals: Iterator[tuple[int, float]] = enumerate(times)
        self._worker, self._workers = worker, workers
        self._parts = [(-math.inf, worker, workers)]
        """From when on this worker has which part, ascending."""
        self._current = 0
        self._until_s = math.inf
        """When the next part applies."""
        self._examined: list[tuple[int, float]] = []
        """The arrivals after the last but one that was returned, up to the last: they may still change parts."""

    def __next__(self) -> float:
        examined = self._examined
        examined.clear()
        for arrival in self._arrivals:
            examined.append(arrival)
            number, at_s = arrival
            if at_s >= self._until_s:
                self._follow(at_s)
            if number % self._workers == self._worker:
                return at_s
        raise StopIteration

    def change(self, from_s: float, worker: int, workers: int) -> None:
        """Divide arrivals from ``from_s`` on (not before that of an earlier call) in this way.

        The arrival that was returned last counts as not returned: it is returned again if it still belongs to this
        worker. So if all workers change at one moment, before any has used a later arrival, each arrival is used once.
        """
        self._parts.append((from_s, worker, workers))
        self._arrivals = chain(self._examined, self._arrivals)
        self._examined = []
        self._current = 0
        self._follow(-math.inf)

    def _follow(self, at_s: float) -> None:
        """Switch to the part that applies at ``at_s``, which is not before the current part."""
        after = self._current + 1
        while after < len(self._parts) and self._parts[after][0] <= at_s:
            after += 1
        self._current = after - 1
        _, self._worker, self._workers = self._parts[self._current]
        self._until_s = self._parts[after][0] if after < len(self._parts) else math.inf
