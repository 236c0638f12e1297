"""The run's clock on a worker: follows the master's clock over the network.

Every process uses the monotonic clock of its machine, which is never adjusted. Those of two machines differ by any
amount and drift apart by some parts per million. A worker asks the master for its clock as NTP does (RFC 5905,
section 8): it notes when it sends the request (``t0``) and receives the reply (``t3``), the master when it receives the
request (``t1``) and sends the reply (``t2``). Then

    offset = ((t1 - t0) + (t2 - t3)) / 2        what to add to the worker's clock to get the master's
    bound  = ((t3 - t0) - (t2 - t1)) / 2        the largest possible error of the offset: half the round trip

Of the last replies, the one with the smallest bound counts (the clock filter, section 10): it waited least in queues.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_DRIFT = 15e-6
"""How far two clocks may drift apart in a second (RFC 5905's PHI); an older reply is less certain by that."""
_SLEW = 500e-6
"""The run clock is slewed by at most this much a second (as in ntpd), so that it distorts no response time."""
STEP_S = 0.05
"""A larger error is corrected at once: the machine was suspended, and measurements across that are worthless."""
_KEPT = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """One reply of the master: the offset and its bound in seconds, at ``at_s`` of the worker's clock."""

    offset_s: float
    bound_s: float
    at_s: float

    @classmethod
    def of(cls, t0: float, t1: float, t2: float, t3: float) -> Reading:
        return cls(((t1 - t0) + (t2 - t3)) / 2, max(0.0, (t3 - t0) - (t2 - t1)) / 2, t3)

    def bound_at(self, now_s: float) -> float:
        return self.bound_s + _DRIFT * max(0.0, now_s - self.at_s)


class MasterClock:
    """Follows the master's clock by its replies; changes nothing while both agree within the bound."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=_KEPT)
        self._followed_s = 0.0
        self._moved_at_s: float | None = None

    def add(self, reading: Reading) -> None:
        self._readings.append(reading)

    @property
    def offset_s(self) -> float:
        """What is currently added to this machine's clock to get the master's."""
        return self._followed_s

    def error(self, now_s: float) -> tuple[float, float]:
        """How far ``offset_s`` is off the best reading, and that reading's bound, both in seconds."""
        best = min(self._readings, key=lambda reading: reading.bound_at(now_s))
        return best.offset_s - self._followed_s, best.bound_at(now_s)

    def set(self, now_s: float) -> None:
        """Adopt the best reading at once: before the run, when nothing is measured yet."""
        error_s, bound_s = self.error(now_s)
        if abs(error_s) > bound_s:
            self._move(error_s, now_s)

    def follow(self, now_s: float) -> float:
        """Approach the master's clock if the error exceeds its bound; the change of ``offset_s``."""
        error_s, bound_s = self.error(now_s)
        if abs(error_s) <= bound_s:
            self._moved_at_s = now_s
            return 0.0
        if abs(error_s) <= STEP_S:
            most = _SLEW * (now_s - self._moved_at_s if self._moved_at_s is not None else 1.0)
            error_s = max(-most, min(most, error_s))
        self._move(error_s, now_s)
        return error_s

    def _move(self, by_s: float, now_s: float) -> None:
        self._followed_s += by_s
        self._moved_at_s = now_s
