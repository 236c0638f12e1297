"""The run's clock on a worker: the master's, found out over the network and followed while the run lasts.

Every process measures on its machine's monotonic clock, which nobody sets; those of two machines differ by any amount
and drift apart by some millionths. A worker asks the master for its clock as NTP does (RFC 5905, section 8): it notes
when it asks (``t0``) and is answered (``t3``), the master when it was asked (``t1``) and answers (``t2``). Then

    offset = ((t1 - t0) + (t2 - t3)) / 2        what to add to the worker's clock to get the master's
    bound  = ((t3 - t0) - (t2 - t1)) / 2        by so much the offset can be wrong at most: half the round trip

Of the last answers that with the least bound counts (the clock filter, section 10): it waited least in queues.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_DRIFT = 15e-6
"""How much two clocks may drift apart in a second (RFC 5905's PHI): an older answer is worth less by that."""
_SLEW = 500e-6
"""The run clock is moved by at most so much a second (as ntpd does), so that it never bends a response time."""
STEP_S = 0.05
"""Beyond that it is set at once: the machine was suspended, and nothing measured across that is worth keeping."""
_KEPT = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer of the master: the offset in seconds and how wrong it can be, as of ``at_s`` of the worker's clock."""

    offset_s: float
    bound_s: float
    at_s: float

    @classmethod
    def of(cls, t0: float, t1: float, t2: float, t3: float) -> Reading:
        return cls(((t1 - t0) + (t2 - t3)) / 2, max(0.0, (t3 - t0) - (t2 - t1)) / 2, t3)

    def bound_at(self, now_s: float) -> float:
        return self.bound_s + _DRIFT * max(0.0, now_s - self.at_s)


class MasterClock:
    """Follows the master's clock by its answers; where both are the same within what can be told, it does nothing."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=_KEPT)
        self._followed_s = 0.0
        self._moved_at_s: float | None = None

    def add(self, reading: Reading) -> None:
        self._readings.append(reading)

    @property
    def offset_s(self) -> float:
        """What is added to this machine's clock to get the master's, as it is reckoned with at present."""
        return self._followed_s

    def error(self, now_s: float) -> tuple[float, float]:
        """How far ``offset_s`` is off the best reading, and that reading's bound, both in seconds."""
        best = min(self._readings, key=lambda reading: reading.bound_at(now_s))
        return best.offset_s - self._followed_s, best.bound_at(now_s)

    def set(self, now_s: float) -> None:
        """Take the best reading as it is: before the run, when nothing is measured yet."""
        error_s, bound_s = self.error(now_s)
        if abs(error_s) > bound_s:
            self._move(error_s, now_s)

    def follow(self, now_s: float) -> float:
        """Come nearer to the master's clock where that is surely off; by how much ``offset_s`` has changed."""
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
