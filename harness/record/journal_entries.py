"""What a journal records, as typed values: endpoints, seconds, phases, failures, clocks, events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from harness.record.endpoint_second import EndpointSecond
from harness.record.lateness import Lateness
from harness.record.second_table import SecondTable

EndReason = Literal["done", "interrupted", "gate failed", "target lost", "workers lost", "scenario", "error"]
PhaseEndReason = Literal["done", "limit broke", "cut short"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One (method, name) pair of one variant; ``str()`` gives ``POST /checkout``, as gates name it."""

    method: str
    name: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.name}".strip()


class WorkerSecond(NamedTuple):
    """The state of one load worker in one second.

    ``cpu`` is its share of one core (0…1) and ``lag_ms`` the longest delay of its event loop. ``late`` counts arrivals
    that started more than 1 ms after their intended start, ``waiting`` those without a user at the end of the second.

    The CPU time it did not get, as shares of the second (0…1): ``starved``, it was ready to run but no core was free;
    ``throttled``, one of its control groups had used up its CPU quota (the most throttled one counts); ``stolen``, the
    hypervisor ran something else (the mean over the machine's cores).

    ``held`` counts the requests that waited for the rate limiter of their host.
    """

    worker: int
    users: int
    cpu: float
    lag_ms: float
    iterations: int
    late: int
    waiting: int
    starved: float = 0.0
    throttled: float = 0.0
    stolen: float = 0.0
    held: int = 0

    @property
    def wanted(self) -> float:
        """The share of the second in which it had work to do: it ran, or was ready to run."""
        # Throttled time may be counted as time in the run queue, too.
        return min(self.cpu + max(self.starved, self.throttled), 1.0)

    def reported(self) -> dict[str, Any]:
        """By name, as the worker sends it, without its number, which the master assigns."""
        fields = self._asdict()
        del fields["worker"]
        return fields


@dataclass(frozen=True, slots=True, eq=False)
class Second:
    """One second of the run, all workers together."""

    second: int
    users: int
    workers: list[WorkerSecond]
    table: SecondTable
    """All endpoints as flat arrays, as narrow as they were written: a run of hours fits into memory."""
    lateness: list[Lateness]
    """Of the arrivals that started in it, by the phase of their intended start (open model only)."""

    @property
    def endpoint_seconds(self) -> list[EndpointSecond]:
        """Computed with each call."""
        return EndpointSecond.all_of(self.table)


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """When phase number ``phase`` of the plan ran. ``end_s`` is None if the run was killed during it.

    ``reason`` is ``done`` (its time was over), ``limit broke`` (a stress phase found its limit) or ``cut short``.
    ``held_segment`` is the last segment (step) of a stress phase in which its ``until`` did not come true; None if
    there is none, and for other kinds of phases.
    """

    phase: int
    start_s: float
    end_s: float | None
    reason: PhaseEndReason | None
    held_segment: int | None
    segments: tuple[float, ...]
    """When each segment began, without those that were never reached."""


@dataclass(frozen=True, slots=True)
class FailureCount:
    endpoint: int
    phase: int
    second: int
    failure: str
    count: int


@dataclass(frozen=True, slots=True)
class FailureSample:
    """One failed request in full; ``detail`` has its ``url``, ``status``, ``body`` and so on, as text."""

    endpoint: int
    phase: int
    at_s: float
    failure: str
    detail: dict[str, str]


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How far a load worker's run clock differed from the master's, and the error bound of that reading, both in ms."""

    worker: int
    at_s: float
    error_ms: float
    bound_ms: float

    @property
    def within_ms(self) -> float:
        """The most that the two clocks differed."""
        return abs(self.error_ms) + self.bound_ms
