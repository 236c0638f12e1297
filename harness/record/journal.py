"""The journal of a run: what each frame means, and the whole of it as typed values.

The load master writes it; everything behind reads it, also from a run that was killed. Times ``at_s`` and seconds
count from the start frame's ``epoch_s``. Frames, by ``kind``:

==========  =========================================================================================================
start       ``schema, run_id, epoch_s``: first frame
worker      ``worker, host``: a load worker's number and the machine it runs on
clock       ``worker, at_s, error_ms, bound_ms``: see :class:`ClockReading`
endpoint    ``id, method, name, variant``: an endpoint is named once, before its first use
phase       ``phase`` (index in the plan), ``at_s``: the phase begins
segment     ``phase, segment, at_s``: a phase's next piece begins (for ``stress``: its next step)
phase_end   ``phase, at_s, reason, held_segment``: see :class:`PhaseSpan`
second      ``second, users, workers, series, lateness``: all requests that *ended* in that second and all arrivals
            that were started in it (see :class:`Second`), both as flat arrays
            (:class:`harness.record.second_table.SecondTable`); a second frame of the same second adds to the first
failure     ``endpoint, phase, second, failure, count``: failures of one kind in one second
sample      ``endpoint, phase, at_s, failure, detail``: one failed request in full, at most a few a kind
event       ``at_s, what, message, count, code, template, params``: see :class:`harness.record.events.Event`
end         ``at_s, reason``: last frame; one without it was killed
==========  =========================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from harness.errors import ExitCode, HarnessError
from harness.record.endpoint_second import EndpointSecond
from harness.record.events import Event
from harness.record.frame_fields import check_fields
from harness.record.frames import Frame, FrameReader
from harness.record.histogram import Ints
from harness.record.lateness import Lateness
from harness.record.second_table import SecondTable

SCHEMA = 2

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
    """How one load worker fared in one second.

    ``cpu`` is its share of one core (0…1), ``lag_ms`` the greatest delay of its event loop, ``late`` the arrivals it
    started more than 1 ms after their intended start, ``waiting`` those still without a user at the second's end.

    What others took from it, as shares of the second (0…1): ``starved``, it could have run but no core was free for it;
    ``throttled``, its control group had used up its CPU quota (the most throttled of those it is in); ``stolen``, the
    hypervisor ran something else on the machine's cores (the mean over them).

    ``held`` counts the requests that waited in it, unsent, for the rate ceiling of their host.
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
        """The share of the second in which it had work to do: it ran, or would have, had it been given a core."""
        # Time in which its group is throttled may be counted as spent in the run queue, too.
        return min(self.cpu + max(self.starved, self.throttled), 1.0)

    def reported(self) -> dict[str, Any]:
        """By name, as the worker sends it; its number is the master's to give."""
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
    """The series as flat arrays, as narrow as they were written: a run of hours is kept whole."""
    lateness: list[Lateness]
    """Of the arrivals started in it, by the phase in which they were due (the open model only)."""

    @property
    def endpoint_seconds(self) -> list[EndpointSecond]:
        """Made anew with every call."""
        return EndpointSecond.all_of(self.table)


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """When phase number ``phase`` of the plan ran. ``end_s`` is None where the run was killed within it.

    ``reason``: ``done`` (its time was over), ``limit broke`` (a stress phase found its limit) or ``cut short``.
    ``held_segment`` is the last segment (step) of a stress phase in which its ``until`` did not come true; None
    where none held, or where the phase is of another kind.
    """

    phase: int
    start_s: float
    end_s: float | None
    reason: PhaseEndReason | None
    held_segment: int | None
    segments: tuple[float, ...]
    """When each segment began (``at_s``); those that were never reached are missing."""


@dataclass(frozen=True, slots=True)
class FailureCount:
    endpoint: int
    phase: int
    second: int
    failure: str
    count: int


@dataclass(frozen=True, slots=True)
class FailureSample:
    """One failed request in full; ``detail`` holds what is known of it (``url``, ``status``, ``body``, …), as text."""

    endpoint: int
    phase: int
    at_s: float
    failure: str
    detail: dict[str, str]


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How far a load worker's run clock was found off the master's, and how wrong that finding can be, both in ms."""

    worker: int
    at_s: float
    error_ms: float
    bound_ms: float

    @property
    def within_ms(self) -> float:
        """The two clocks stood no further apart than this."""
        return abs(self.error_ms) + self.bound_ms


@dataclass(slots=True)
class Journal:
    """A journal as typed values. Grows by :meth:`add` while a run is followed."""

    run_id: str = ""
    epoch_s: float = 0.0
    hosts: dict[int, str] = field(default_factory=dict)
    """By load worker: the machine it ran on."""
    clocks: list[ClockReading] = field(default_factory=list)
    endpoints: dict[int, Endpoint] = field(default_factory=dict)
    phases: list[PhaseSpan] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)
    """In order, each once."""
    arrived: list[Second] = field(default_factory=list)
    """The same as it was written: a late worker's part of a second comes by itself. For those that follow a run."""
    failures: list[FailureCount] = field(default_factory=list)
    samples: list[FailureSample] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    end_s: float | None = None
    end_reason: EndReason | None = None
    """None: the run was killed, or is still going on."""

    def add(self, frame: Frame) -> None:
        """Take in one frame; ``KeyError``, ``TypeError`` or ``ValueError`` where it does not hold what it should."""
        check_fields(frame)
        match frame["kind"]:
            case "start":
                if frame["schema"] != SCHEMA:
                    raise ValueError(f"schema {frame['schema']}; this harness reads {SCHEMA}")
                self.run_id, self.epoch_s = frame["run_id"], frame["epoch_s"]
            case "endpoint":
                self.endpoints[frame["id"]] = Endpoint(frame["method"], frame["name"], frame.get("variant", ""))
            case "worker":
                self.hosts[frame["worker"]] = frame["host"]
            case "clock":
                self.clocks.append(ClockReading(**_fields(frame)))
            case "second":
                series = SecondTable.from_wire(frame["series"])
                self._know(series.endpoint)
                self._add_second(
                    Second(
                        frame["second"],
                        frame["users"],
                        [WorkerSecond(*wire) for wire in frame["workers"]],
                        series,
                        Lateness.all_of(SecondTable.from_wire(frame["lateness"])),
                    )
                )
            case "phase":
                self.phases.append(PhaseSpan(frame["phase"], frame["at_s"], None, None, None, ()))
            case "segment":
                last = self.phases[-1]
                self.phases[-1] = PhaseSpan(last.phase, last.start_s, None, None, None, (*last.segments, frame["at_s"]))
            case "phase_end":
                last = self.phases[-1]
                self.phases[-1] = PhaseSpan(
                    last.phase,
                    last.start_s,
                    frame["at_s"],
                    frame["reason"],
                    frame["held_segment"],
                    last.segments,
                )
            case "failure":
                self._know([frame["endpoint"]])
                self.failures.append(FailureCount(**_fields(frame)))
            case "sample":
                self._know([frame["endpoint"]])
                self.samples.append(FailureSample(**_fields(frame)))
            case "event":
                self.events.append(Event.from_frame(frame))
            case "end":
                self.end_s, self.end_reason = frame["at_s"], frame["reason"]
            case _:
                # A newer harness may tell more; what it adds does not change what is known here.
                return

    def _know(self, endpoints: Ints | list[int]) -> None:
        for endpoint in np.unique(endpoints).tolist():
            if endpoint not in self.endpoints:
                raise ValueError(f"endpoint {endpoint} was not named before")

    def _add_second(self, added: Second) -> None:
        """Keep seconds in order and each once: what a worker reported late comes as a further frame of its second."""
        self.arrived.append(added)
        at = len(self.seconds)
        while at and self.seconds[at - 1].second > added.second:
            at -= 1
        if at and self.seconds[at - 1].second == added.second:
            known = self.seconds[at - 1]
            self.seconds[at - 1] = Second(
                known.second,
                known.users + added.users,
                known.workers + added.workers,
                SecondTable.joined([known.table, added.table]),
                known.lateness + added.lateness,
            )
        else:
            self.seconds.insert(at, added)

    @property
    def last_s(self) -> float:
        """The end of what was recorded, in seconds from the start."""
        if self.end_s is not None:
            return self.end_s
        ends = [float(second.second + 1) for second in self.seconds[-1:]]
        ends += [span.end_s or span.start_s for span in self.phases[-1:]]
        return max(ends, default=0.0)


def _fields(frame: Frame) -> dict[str, Any]:
    return {key: value for key, value in frame.items() if key != "kind"}


class JournalFollower:
    """Reads a journal while it grows: ``poll()`` takes in what was appended and says whether there was anything."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal()
        self._reader = FrameReader(path)

    def poll(self) -> bool:
        """Raises :class:`HarnessError` where the file is damaged."""
        grown = False
        for frame in self._reader.new_frames():
            try:
                self.journal.add(frame)
            except (KeyError, TypeError, ValueError, IndexError) as fault:
                raise self._reader.not_understood(frame, fault) from fault
            grown = True
        return grown

    @property
    def cut_off(self) -> bool:
        """Whether the file ends in the middle of a frame."""
        return self._reader.cut_off


def read_journal(path: Path) -> Journal:
    """The whole journal of a run that has ended, or was killed (then up to its last whole frame).

    Raises :class:`HarnessError` where there is none, or where it is damaged before its end.
    """
    if not path.is_file():
        raise HarnessError("there is no journal", where=str(path), hint="A run folder holds a file `journal`.")
    follower = JournalFollower(path)
    follower.poll()
    if not follower.journal.run_id:
        raise HarnessError(
            "the journal is empty: the run ended before its load began",
            where=str(path),
            hint=f"{path.parent / 'harness.log'} tells why.",
            exit_code=ExitCode.BROKEN,
        )
    return follower.journal
