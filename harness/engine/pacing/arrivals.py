"""Arrival times in the open model, for a rate that changes linearly within segments.

Evenly spaced arrivals: arrival ``k`` (0, 1, …) is due when the integral of the rate reaches ``k + ½`` (as in k6's
constant and ramping arrival rate; the half makes the first and the last interval alike). Poisson arrivals: the gaps of
that integral are exponential instead (Çinlar 1975, inversion of the integrated rate), which gives realistic bursts.
"""

from __future__ import annotations

import itertools
import math
import random
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate, islice, repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_CHUNK = 256
"""Arrivals to compute at a time: a fraction of a millisecond's work."""
_NEVER = 1 << 62
"""The number of an arrival that does not come."""


class RateSegment(NamedTuple):
    """The rate (arrivals/s) changes linearly from ``start`` to ``end`` in ``duration_s``."""

    start: float
    end: float
    duration_s: float

    @property
    def arrivals(self) -> float:
        """The number of arrivals in the segment (the integral of the rate)."""
        return (self.start + self.end) / 2 * self.duration_s

    def times_of(self, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """When each number of arrivals is reached, in seconds from the segment's start (0 ≤ counts ≤ ``arrivals``)."""
        slope = (self.end - self.start) / self.duration_s
        if abs(slope) * self.duration_s < 1e-9 * max(self.start, self.end):
            return counts / self.start
        # start·t + slope·t²/2 = count, in the form without cancellation for small slopes.
        roots = np.sqrt(np.maximum(0.0, self.start**2 + 2 * slope * counts))
        times: npt.NDArray[np.float64] = 2 * counts / (self.start + roots)
        return times


def arrival_times(segments: list[RateSegment], *, spacing: str, seed: str) -> Iterator[float]:
    """The time of every arrival, in seconds from the start of the first segment, ascending."""
    rng = random.Random(seed)
    counts = itertools.count(0.5) if spacing == "even" else accumulate(map(rng.expovariate, repeat(1.0)))
    begun_s = before = 0.0
    drawn: list[float] = []
    for segment in segments:
        after = before + segment.arrivals
        while not drawn or drawn[0] < after:
            drawn = drawn or list(islice(counts, _CHUNK))
            inside = bisect_left(drawn, after)
            yield from (begun_s + segment.times_of(np.array(drawn[:inside]) - before)).tolist()
            del drawn[:inside]
        before = after
        begun_s += segment.duration_s


class ArrivalPartition(Iterator[float]):
    """One worker's part of all ``times`` (ascending): every ``workers``-th, beginning with number ``worker``.

    A ``worker`` that is none of the ``workers`` has no part, which it takes all times to see. The parts change when a
    worker is lost: :meth:`change`.
    """

    def __init__(self, times: Iterator[float], worker: int, workers: int) -> None:
        self._times = times
        self._chunk: list[float] = []
        """All arrivals from number ``_first`` on, as far as they are known."""
        self._first = 0
        self._next = self._previous = 0
        """The number after the arrival that was returned last, and after the one before it."""
        self._worker, self._workers = _part(worker, workers)
        self._parts = [(-math.inf, self._worker, self._workers)]
        """From when on this worker has which part, ascending."""
        self._current = 0
        self._until_s = math.inf
        """When the next part applies."""

    def __next__(self) -> float:
        self._previous = number = self._next
        while True:
            mine = number + (self._worker - number) % self._workers
            at = mine - self._first
            chunk = self._chunk
            if self._until_s < math.inf:
                # The part changes with the first arrival that is due later, whosever it is.
                changed = bisect_left(chunk, self._until_s, number - self._first, min(at + 1, len(chunk)))
                if changed <= at and changed < len(chunk):
                    self._follow(chunk[changed])
                    number = self._first + changed
                    continue
            if at < len(chunk):
                self._next = mine + 1
                return chunk[at]
            number = self._first + len(chunk)
            more = list(islice(self._times, _CHUNK))
            if not more:
                raise StopIteration
            self._chunk = chunk[self._previous - self._first :] + more
            self._first = self._previous

    def change(self, from_s: float, worker: int, workers: int) -> None:
        """Divide arrivals from ``from_s`` on (not before that of an earlier call) in this way.

        The arrival that was returned last counts as not returned: it is returned again if it still belongs to this
        worker. So if all workers change at one moment, before any has used a later arrival, each arrival is used once.
        """
        self._parts.append((from_s, *_part(worker, workers)))
        self._next = self._previous
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


def _part(worker: int, workers: int) -> tuple[int, int]:
    return (worker, workers) if worker < workers else (_NEVER, _NEVER + 1)
