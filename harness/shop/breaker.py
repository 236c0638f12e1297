"""A circuit breaker: what has failed several times in a row is left alone for a while.

pybreaker holds a lock during each call, so calls would queue, and purgatory lets every waiting thread try at once when
the time is up. Here one call in each `cool_down_s` tries, and the others fail at once, without taking a thread.
"""

from __future__ import annotations

import threading
import time


class Breaker:
    """Opens after ``failures`` failures in a row; one success closes it."""

    def __init__(self, failures: int, cool_down_s: float) -> None:
        self._threshold = failures
        self._cool_down_s = cool_down_s
        self._failures = 0
        self._try_at = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether a call would be refused now."""
        return self._failures >= self._threshold and time.monotonic() < self._try_at

    def admit(self) -> bool:
        """Whether a call may be made now. Its outcome is then reported by `succeeded` or `failed`."""
        if self._failures < self._threshold:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._try_at:
                return False
            self._try_at = now + self._cool_down_s
            return True

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures = 0

    def failed(self) -> None:
        """A call was not answered."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._threshold:
                self._try_at = time.monotonic() + self._cool_down_s
