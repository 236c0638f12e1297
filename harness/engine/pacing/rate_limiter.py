"""Limits a worker's request rate to one host to its share, in every span of a second.

Requests wait in order of arrival. The first one starts when the oldest of the last ``most`` started a second ago. The
start is noted when it happens, so the limit is exact however late or early a sleeper wakes, and the shares of all
workers add up to the host's ``max_rate``. A request whose user is stopped leaves the queue.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from time import perf_counter

import gevent
from gevent.event import Event

SPAN_S = 1.0


class RateLimiter:
    """At most ``most`` requests a second, 1 or more."""

    def __init__(
        self, most: int, now_s: Callable[[], float] = perf_counter, sleep: Callable[[float], None] = gevent.sleep
    ) -> None:
        self._begun_s = deque([float("-inf")] * most, maxlen=most)
        self._queue: OrderedDict[Event, None] = OrderedDict()
        """Waiting requests; the event signals that a request is now the first."""
        self._now_s = now_s
        self._sleep = sleep
        self._held = 0

    def take_turn(self) -> float:
        """Block until a request may start; how long it had to wait, in seconds."""
        came_s = self._now_s()
        if not self._queue and came_s - self._begun_s[0] >= SPAN_S:
            self._begun_s.append(came_s)
            return 0.0
        self._held += 1
        turn = Event()
        self._queue[turn] = None
        try:
            if next(iter(self._queue)) is not turn:
                turn.wait()
            while (left_s := self._begun_s[0] + SPAN_S - self._now_s()) > 0:
                self._sleep(left_s)
            begun_s = self._now_s()
            self._begun_s.append(begun_s)
        finally:
            was_first = next(iter(self._queue)) is turn
            del self._queue[turn]
            if was_first and self._queue:
                next(iter(self._queue)).set()
        return begun_s - came_s

    def take_held(self) -> int:
        """How many requests have waited since the last call, including those that still wait from before it."""
        held, self._held = self._held, len(self._queue)
        return held
