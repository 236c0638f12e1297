"""A rate ceiling of one host: in no span of a second does this worker begin more requests than its share.

Each request takes the next of ``most`` places in turn, and a place is free again a second after it was last used. So
the limit is exact, requests wait in the order in which they came, and the shares of all workers add up to the host's
``max_rate``. One whose user is stopped while it waits has used its place up: the limit errs on the quiet side.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import gevent

SPAN_S = 1.0


class Ceiling:
    """At most ``most`` requests a second, 1 or more."""

    def __init__(
        self, most: int, now_s: Callable[[], float] = perf_counter, sleep: Callable[[float], None] = gevent.sleep
    ) -> None:
        self._used_s = [float("-inf")] * most
        self._next = 0
        self._now_s = now_s
        self._sleep = sleep
        self.held = 0
        """How many requests had to wait."""

    def take_turn(self) -> None:
        """Return when a request may begin."""
        now_s = self._now_s()
        turn_s = max(now_s, self._used_s[self._next] + SPAN_S)
        self._used_s[self._next] = turn_s
        self._next = (self._next + 1) % len(self._used_s)
        if turn_s > now_s:
            self.held += 1
            self._sleep(turn_s - now_s)
