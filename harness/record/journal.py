"""The journal of a run: the load master's frames, read as typed values, also of a killed run.

Times ``at_s`` and seconds count from ``epoch_s`` of the start frame. Frames, by ``kind``:

============  ==========================================================================================================
start         ``schema, run_id, epoch_s``: first frame
worker        ``worker, host``: a load worker's number and the machine it runs on
clock         ``worker, at_s, error_ms, bound_ms``: see :class:`~harness.record.journal_entries.ClockReading`
endpoint      ``id, method, name, variant``: an endpoint is named once, before its first use
phase         ``phase`` (index in the plan), ``at_s``: the phase begins
segment       ``phase, segment, at_s``: a phase's next piece begins (for ``stress``: its next step)
phase_end     ``phase, at_s, reason, held_segment``: see :class:`~harness.record.journal_entries.PhaseSpan`
second        ``second, users, workers, series, lateness, checks``: all requests that *ended* in that second and all
              arrivals that were started in it (see :class:`Second`), both as flat arrays
              (:class:`harness.record.second_table.SecondTable`), and the checks that were made in it
              (:class:`~harness.record.journal_entries.CheckCount`); a second frame of the same second adds to the first
failure       ``endpoint, phase, second, failure, count, code``: failures of one kind in one second
sample        ``endpoint, phase, at_s, failure, detail``: one failed request in full, at most a few a kind
check_sample  ``name, at_s, text``: why a check failed, a few times a check
traced        ``requests``: those that ended lately and were sent with a ``traceparent``
              (:class:`harness.record.traced_requests.TracedRequest`)
event         ``at_s, what, message, count, code, params``: see :class:`harness.record.run_events.Event`
end           ``at_s, reason``: last frame; one without it was killed
============  ==========================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from harness.errors import ExitCode, HarnessError
from harness.record.endpoint_second import Lateness
from harness.record.frames import Frame, FrameReader
from harness.record.histogram import Ints
from harness.record.journal_entries import (
    ENTRIES,
    CheckSample,
    ChosenLevel,
    ClockReading,
    End,
    Endpoint,
    EndpointNamed,
    EndReason,
    EventRecorded,
    FailureCount,
    FailureSample,
    PhaseBegin,
    PhaseEnd,
    PhaseSpan,
    RequestsTraced,
    Second,
    SecondRecorded,
    SegmentBegin,
    Start,
    WorkerJoined,
)
from harness.record.run_events import Event
from harness.record.second_table import SecondTable
from harness.record.traced_requests import TracedRequest

SCHEMA = 2


@dataclass(slots=True)
class Journal:
    """A journal as typed values. Grows by :meth:`add` while a run is followed."""

    run_id: str = ""
    epoch_s: float = 0.0
    hosts: dict[int, str] = field(default_factory=dict)
    """The machine of each load worker."""
    clocks: list[ClockReading] = field(default_factory=list)
    endpoints: dict[int, Endpoint] = field(default_factory=dict)
    phases: list[PhaseSpan] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)
    """In order, each once."""
    arrived: list[Second] = field(default_factory=list)
    """The seconds as they were written, for those that follow a run: a late worker's part of a second is an entry."""
    failures: list[FailureCount] = field(default_factory=list)
    samples: list[FailureSample] = field(default_factory=list)
    check_samples: list[CheckSample] = field(default_factory=list)
    traced: list[TracedRequest] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    end_s: float | None = None
    end_reason: EndReason | None = None
    """None: the run was killed, or is still in progress."""

    def add(self, frame: Frame) -> None:
        """Add one frame. Raises ``LookupError``, ``TypeError`` or ``ValueError`` if its fields are wrong."""
        if frame["kind"] not in ENTRIES:
            return  # a newer harness may record more, which does not change the meaning of the rest
        match entry := ENTRIES[frame["kind"]](**frame):
            case Start():
                if entry.schema != SCHEMA:
                    raise ValueError(f"schema {entry.schema}; this harness reads {SCHEMA}")
                self.run_id, self.epoch_s = entry.run_id, entry.epoch_s
            case EndpointNamed():
                self.endpoints[entry.id] = Endpoint(entry.method, entry.name, entry.variant)
            case WorkerJoined():
                self.hosts[entry.worker] = entry.host
            case ClockReading():
                self.clocks.append(entry)
            case SecondRecorded():
                series = SecondTable.from_wire(entry.series)
                self._know(series.endpoint)
                lateness = Lateness.all_of(SecondTable.from_wire(entry.lateness))
                self._add_second(Second(entry.second, entry.users, entry.workers, series, lateness, entry.checks))
            case PhaseBegin():
                self.phases.append(PhaseSpan(entry.phase, entry.at_s, None, None, None, ()))
            case SegmentBegin():
                last = self.phases[-1]
                chosen = () if entry.level is None else (ChosenLevel(entry.level, entry.counts),)
                self.phases[-1] = replace(last, segments=(*last.segments, entry.at_s), chosen=(*last.chosen, *chosen))
            case PhaseEnd():
                self.phases[-1] = replace(
                    self.phases[-1], end_s=entry.at_s, reason=entry.reason, held_segment=entry.held_segment
                )
            case FailureCount():
                self._know([entry.endpoint])
                self.failures.append(entry)
            case FailureSample():
                self._know([entry.endpoint])
                self.samples.append(entry)
            case CheckSample():
                self.check_samples.append(entry)
            case RequestsTraced():
                self._know([request.endpoint for request in entry.requests])
                self.traced += entry.requests
            case EventRecorded():
                self.events.append(Event.from_frame(frame))
            case End():
                self.end_s, self.end_reason = entry.at_s, entry.reason

    def _know(self, endpoints: Ints | list[int]) -> None:
        for endpoint in np.unique(endpoints).tolist():
            if endpoint not in self.endpoints:
                raise ValueError(f"endpoint {endpoint} was not named before")

    def _add_second(self, added: Second) -> None:
        """Keep seconds in order and each once: what a worker reports late is a further frame of its second."""
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
                known.checks + added.checks,
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


class JournalFollower:
    """Reads a journal while it grows: ``poll()`` adds what was appended and returns whether there was anything."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal()
        self._reader = FrameReader(path)

    def poll(self) -> bool:
        """Raises :class:`HarnessError` if the file is damaged."""
        grown = False
        for frame in self._reader.new_frames():
            try:
                self.journal.add(frame)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise self._reader.not_understood(frame, error) from error
            grown = True
        return grown


def read_journal(path: Path) -> Journal:
    """The journal of a run that has ended, or was killed: then up to its last whole frame.

    Raises :class:`HarnessError` if there is none, or it is damaged before its end.
    """
    if not path.is_file():
        raise HarnessError("journal-missing", where=str(path), parent=path.parent.parent)
    follower = JournalFollower(path)
    follower.poll()
    if not follower.journal.run_id:
        raise HarnessError("journal-empty", where=str(path), exit_code=ExitCode.BROKEN, log=path.parent / "harness.log")
    return follower.journal
