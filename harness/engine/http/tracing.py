"""Chooses the requests that are sent with a ``traceparent``, so that the target traces them."""

from __future__ import annotations

from harness.engine.random_gaps import RandomGaps
from harness.record.traced_requests import traceparent

HEADER = "traceparent"
_FEWEST_PER_S, _MOST_PER_S = 2.0, 5.0
"""Of each worker. A few a second cost the target little and are enough, whatever share of the requests they are."""


class RequestSampler:
    """Picks requests of a worker at random."""

    def __init__(self) -> None:
        self._gaps = RandomGaps(_FEWEST_PER_S, _MOST_PER_S)
        self.change = self._gaps.change

    def pick(self) -> str | None:
        """The ``traceparent`` of the next request; None if it is not picked."""
        return traceparent(self._gaps.random.randbytes(16)) if self._gaps.pick() else None
