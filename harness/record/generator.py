"""The state of the load generator in ``summary.json``: its CPU, its lateness, its workers' clocks."""

from __future__ import annotations

from pydantic import BaseModel

from harness.record.figures import Lag


class WorkerClock(BaseModel):
    """The reading of one load worker's run clock in which it may have differed most from the master's.

    ``offset`` is the difference, ``bound`` the error of that reading (half the round trip), both in ms.
    """

    worker: int
    host: str = ""
    offset: float
    bound: float

    @property
    def within(self) -> float:
        """The most that the two clocks differed, in ms."""
        return abs(self.offset) + self.bound


class Generator(BaseModel):
    """The state of the load generator.

    ``cpu_max`` is the busiest second of a worker, as a share of one core. ``starved_max``, ``throttled_max`` and
    ``stolen_max`` are the worst seconds of a worker (see :class:`harness.record.journal_entries.WorkerSecond`).
    """

    saturated: bool = False
    cpu_max: float = 0.0
    starved_max: float = 0.0
    throttled_max: float = 0.0
    stolen_max: float = 0.0
    lag_ms: Lag = Lag()
    dropped: int = 0
    late: int = 0
    """Arrivals that started more than 1 ms after their intended start. None is dropped."""
    own_lateness_ms: Lag = Lag()
    """How late the generator itself made arrivals start, over all arrivals."""
    workers: int = 0
    clock_ms: float | None = None
    """The most that any worker's clock differed from the master's."""
    clocks: list[WorkerClock] = []
