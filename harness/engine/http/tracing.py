"""Chooses the requests that are sent with a ``traceparent``, so that the target records its spans for them."""

from __future__ import annotations

import random

from harness.record.traced_requests import traceparent


class RequestSampler:
    """Picks a share of a worker's requests at random: with every 20th, a scenario of 4 requests would show only one."""

    def __init__(self) -> None:
        # Neither the scenario's random numbers nor their order may change with tracing.
        self._random = random.Random()
        self._left = 0
        self.change(0.0)

    def change(self, share: float) -> None:
        """From now on, pick this ``share`` (0…1)."""
        self._gap = 0 if share <= 0 else 2 * round(1 / share) - 1
        self._left = self._next_gap()

    def pick(self) -> str | None:
        """The ``traceparent`` of the next request; None if it is not picked."""
        if self._left != 1:
            self._left -= 1
            return None
        self._left = self._next_gap()
        return traceparent(self._random.randbytes(16))

    def _next_gap(self) -> int:
        """Even on average 1 / share: from one request to the next picked one."""
        return self._random.randint(1, self._gap) if self._gap else 0
