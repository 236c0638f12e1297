"""Chooses the requests that are sent with a ``traceparent``, so that the target records its spans for them."""

from __future__ import annotations

import random
from time import perf_counter

from harness.record.traced_requests import traceparent

HEADER = "traceparent"
_FEWEST_PER_S, _MOST_PER_S = 2.0, 5.0
"""Of each worker. A few a second cost the target little and are enough, whatever share of the requests they are."""
_MEMORY = 0.8
"""How much of what it knew of the rate a sampler keeps with each pick."""


class RequestSampler:
    """Picks requests of a worker at random: every 20th would always be the same one of a scenario of 4 requests."""

    def __init__(self) -> None:
        # Neither the scenario's random numbers nor their order may change with tracing.
        self._random = random.Random()
        self.change(0.0)

    def change(self, share: float) -> None:
        """From now on, pick this ``share`` (0…1), as far as the limits per second allow; 0: none; 1: all."""
        self._share = share
        self._picked_s = perf_counter()
        self._requests = self._seconds = 0.0
        # Not the very first request: it finds everything cold.
        self._gap = self._left = 0 if share <= 0 else 1 if share >= 1 else self._random.randint(1, 5)

    def pick(self) -> str | None:
        """The ``traceparent`` of the next request; None if it is not picked."""
        if self._left != 1:
            self._left -= 1
            return None
        # A random number of requests to the next one, not a time: that would prefer those that follow a pause.
        self._gap = self._left = self._random.randint(1, 2 * round(self._mean_gap()) - 1)
        return traceparent(self._random.randbytes(16))

    def _mean_gap(self) -> float:
        if self._share >= 1:
            return 1.0
        now_s = perf_counter()
        self._requests = _MEMORY * self._requests + self._gap
        self._seconds = _MEMORY * self._seconds + now_s - self._picked_s
        self._picked_s = now_s
        rate = self._requests / max(self._seconds, 1e-6)
        return min(max(1 / self._share, rate / _MOST_PER_S), max(rate / _FEWEST_PER_S, 1.0))
