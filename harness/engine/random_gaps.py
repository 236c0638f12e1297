"""Picks some of a worker's requests at random: a share of them, within limits per second."""

from __future__ import annotations

import random
from time import perf_counter

_MEMORY = 0.8
"""The weight of the previous estimate of the rate at each pick."""


class RandomGaps:
    """Every 20th request would always be the same one of a scenario of 4 requests, so the gaps are random."""

    def __init__(self, fewest_per_s: float, most_per_s: float) -> None:
        # Neither the scenario's random numbers nor their order may change with what is picked.
        self.random = random.Random()
        self._fewest_per_s = fewest_per_s
        self._most_per_s = most_per_s
        self.change(0.0)

    def change(self, share: float) -> None:
        """From now on, pick this ``share`` (0…1), as far as the limits per second allow; 0: none; 1: all."""
        self._share = share
        self._picked_s = perf_counter()
        self._requests = self._seconds = 0.0
        # Not the very first request: it finds everything cold.
        self._gap = self._left = 0 if share <= 0 else 1 if share >= 1 else self.random.randint(1, 5)

    def pick(self) -> bool:
        """Whether the next request is picked."""
        if self._left != 1:
            self._left -= 1
            return False
        # A random number of requests to the next one, not a time: that would prefer those that follow a pause.
        self._gap = self._left = self.random.randint(1, 2 * round(self._mean_gap()) - 1)
        return True

    def _mean_gap(self) -> float:
        if self._share >= 1:
            return 1.0
        now_s = perf_counter()
        self._requests = _MEMORY * self._requests + self._gap
        self._seconds = _MEMORY * self._seconds + now_s - self._picked_s
        self._picked_s = now_s
        rate = self._requests / max(self._seconds, 1e-6)
        return min(max(1 / self._share, rate / self._most_per_s), max(rate / self._fewest_per_s, 1.0))
