"""What the frames of a journal hold, as typed values, each field checked as it is read.

A checksum only shows that a frame is as it was written; the types show that its values make sense. Unknown fields are
left to later versions. :class:`harness.record.second_table.SecondTable` checks ``series`` and ``lateness``.
"""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field
from pydantic.dataclasses import dataclass

from harness.record.endpoint_second import EndpointSecond, Lateness
from harness.record.frames import STRICT, Epoch, Figure
from harness.record.second_table import SecondTable
from harness.record.traced_requests import TracedRequest

EndReason = Literal[
    "done", "interrupted", "gate failed", "decided", "target lost", "workers lost", "proxies lost", "scenario", "error"
]
PhaseEndReason = Literal["done", "limit broke", "cut short"]

HOST_NOT_ALLOWED = "request-host-not-allowed"
"""The code of requests that the guard rails did not let through."""

_Index = Annotated[int, Field(ge=0, lt=1 << 31)]
_Count = Annotated[int, Field(ge=0, lt=1 << 53)]
_Amount = Annotated[float, Field(ge=0, lt=1e15, allow_inf_nan=False)]
_SecondNumber = Annotated[int, Field(ge=0, lt=10_000_000)]
"""At most 115 days: longer than any run, and all its seconds still fit into memory."""
_RunTime = Annotated[float, Field(ge=0, lt=10_000_000)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Start:
    schema: int
    run_id: Annotated[str, Field(min_length=1)]
    epoch_s: Epoch


@dataclass(frozen=True, slots=True, config=STRICT)
class Endpoint:
    """One (method, name) pair of one variant; ``str()`` gives ``POST /checkout``, as gates name it."""

    method: str
    name: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.name}".strip()


@dataclass(frozen=True, slots=True, config=STRICT)
class EndpointNamed:
    """An endpoint gets its number, before its first use."""

    id: _Index
    method: str
    name: str
    variant: str = ""


@dataclass(frozen=True, slots=True, config=STRICT)
class WorkerJoined:
    """A load worker's number and the machine it runs on."""

    worker: _Index
    host: str


class WorkerSecond(NamedTuple):
    """The state of one load worker in one second.

    ``cpu`` is its share of one core (0…1) and ``lag_ms`` the longest delay of its event loop. ``late`` counts arrivals
    that started more than 1 ms after their intended start, ``waiting`` those without a user at the end of the second.

    The CPU time it did not get, as shares of the second (0…1): ``starved``, it was ready to run but no core was free;
    ``throttled``, one of its control groups had used up its CPU quota (the most throttled one counts); ``stolen``, the
    hypervisor ran something else (the mean over the machine's cores).

    ``held`` counts the requests that waited for the rate limiter of their host.
    """

    worker: _Index
    users: _Count
    cpu: _Amount
    lag_ms: _Amount
    iterations: _Count
    late: _Count
    waiting: _Count
    starved: _Amount = 0.0
    throttled: _Amount = 0.0
    stolen: _Amount = 0.0
    held: _Count = 0

    @property
    def wanted(self) -> float:
        """The share of the second in which it had work to do: it ran, or was ready to run."""
        # Throttled time may be counted as time in the run queue, too.
        return min(self.cpu + max(self.starved, self.throttled), 1.0)


class CheckCount(NamedTuple):
    """How often a check of the scenario passed and failed, looking at requests that one phase started."""

    name: str
    phase: _Index
    passed: _Count
    failed: _Count
    variant: str = ""


@dataclass(frozen=True, slots=True, config=STRICT)
class CheckSample:
    """Why a check failed once."""

    name: str
    at_s: _RunTime
    text: str


@dataclass(frozen=True, slots=True, config=STRICT)
class SecondRecorded:
    """The state of the workers in one second, and the tables of what ended and what started in it."""

    second: _SecondNumber
    users: _Count
    workers: list[WorkerSecond]
    series: Any
    lateness: Any
    checks: list[CheckCount] = field(default_factory=list)


@plain_dataclass(frozen=True, slots=True, eq=False)
class Second:
    """One second of the run, all workers together."""

    second: int
    users: int
    workers: list[WorkerSecond]
    table: SecondTable
    """All endpoints as flat arrays, as narrow as they were written: a run of hours fits into memory."""
    lateness: list[Lateness]
    """Of the arrivals that started in it, by the phase of their intended start (open model only)."""
    checks: list[CheckCount] = field(default_factory=list)
    """Those that were made in it."""

    @property
    def endpoint_seconds(self) -> list[EndpointSecond]:
        """Computed with each call."""
        return EndpointSecond.all_of(self.table)


class ChosenLevel(NamedTuple):
    """A level that a search tried, and whether it was a step: between steps, queues empty and users start."""

    level: float
    counts: bool


@plain_dataclass(frozen=True, slots=True)
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
    chosen: tuple[ChosenLevel, ...] = ()
    """What a search chose for each of them."""


@dataclass(frozen=True, slots=True, config=STRICT)
class PhaseBegin:
    phase: _Index
    at_s: _RunTime


@dataclass(frozen=True, slots=True, config=STRICT)
class SegmentBegin:
    phase: _Index
    at_s: _RunTime
    segment: _Index
    level: Figure | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True, config=STRICT)
class PhaseEnd:
    phase: _Index
    at_s: _RunTime
    reason: PhaseEndReason
    held_segment: _Index | None


@dataclass(frozen=True, slots=True, config=STRICT)
class FailureCount:
    endpoint: _Index
    phase: _Index
    second: _SecondNumber
    failure: str
    count: _Count
    code: str = ""
    """What the harness calls a failure that it found itself, such as a response that timed out."""


@dataclass(frozen=True, slots=True, config=STRICT)
class FailureSample:
    """One failed request in full; ``detail`` has its ``url``, ``status``, ``body`` and so on, as text."""

    endpoint: _Index
    phase: _Index
    at_s: _RunTime
    failure: str
    detail: dict[str, str]


@dataclass(frozen=True, slots=True, config=STRICT)
class RequestsTraced:
    """Requests that ended lately and that the target was asked to record spans for."""

    requests: list[TracedRequest]


@dataclass(frozen=True, slots=True, config=STRICT)
class ClockReading:
    """How far a load worker's run clock differed from the master's, and the error bound of that reading, both in ms."""

    worker: _Index
    at_s: Figure  # negative: clocks are compared before the run starts, too
    error_ms: Figure
    bound_ms: Figure

    @property
    def within_ms(self) -> float:
        """The most that the two clocks differed."""
        return abs(self.error_ms) + self.bound_ms


@dataclass(frozen=True, slots=True, config=STRICT)
class EventRecorded:
    """The frame of an :class:`~harness.record.run_events.Event`."""

    at_s: _RunTime
    what: str
    message: str
    count: _Count = 0


@dataclass(frozen=True, slots=True, config=STRICT)
class End:
    at_s: _RunTime
    reason: EndReason


ENTRIES: dict[str, type] = {
    "start": Start,
    "endpoint": EndpointNamed,
    "worker": WorkerJoined,
    "clock": ClockReading,
    "second": SecondRecorded,
    "phase": PhaseBegin,
    "segment": SegmentBegin,
    "phase_end": PhaseEnd,
    "failure": FailureCount,
    "sample": FailureSample,
    "check_sample": CheckSample,
    "traced": RequestsTraced,
    "event": EventRecorded,
    "end": End,
}
"""By the kind of their frames."""
