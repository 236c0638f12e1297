"""Writes run folders from requests that were recorded or drawn elsewhere: imported results, tests.

The same frames as the load master writes, in the same order, so that nothing can tell such a run from another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.plan.model.run import RunPlan
from harness.record.endpoint_second import Lateness
from harness.record.environment import Environment
from harness.record.frames import Frame, FrameWriter
from harness.record.histogram import Ints
from harness.record.journal import SCHEMA
from harness.record.journal_entries import Endpoint, EndReason, FailureSample, PhaseSpan, WorkerSecond
from harness.record.profiles import ProfileIndex
from harness.record.resources import READINGS, Reading
from harness.record.run_events import Event
from harness.record.run_folder import RunFolder, write_text
from harness.record.second_accumulator import SecondAccumulator, packed

Floats = npt.NDArray[np.float64]

SUCCEEDED = -1
"""In :attr:`Requests.failure`: the request did not fail."""


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """The requests that were started in one phase, an entry each. Times are µs, but for ``start_s``.

    ``start_s`` counts from the run's start. In the open model the response time counts from the intended start and the
    service time from the send; in the closed model both are the same.
    """

    phase: int
    is_open: bool
    segment: Ints
    endpoint: Ints
    """Index into :attr:`RecordedLoad.endpoints`."""
    start_s: Floats
    response_us: Ints
    service_us: Ints
    bytes_received: Ints
    failure: Ints
    """Index into :attr:`RecordedLoad.failures`, or :data:`SUCCEEDED`."""

    @property
    def second(self) -> Ints:
        """The second of the run in which each ended."""
        return (self.start_s + self.response_us / 1e6).astype(np.int64)

    def of(self, which: Ints) -> Requests:
        """These requests alone."""
        columns = ("segment", "endpoint", "start_s", "response_us", "service_us", "bytes_received", "failure")
        return Requests(self.phase, self.is_open, **{name: getattr(self, name)[which] for name in columns})

    def by_second(self) -> dict[int, Requests]:
        """Those that ended in each second, in which any did."""
        order = np.argsort(self.second, kind="stable")
        seconds, begins = np.unique(self.second[order], return_index=True)
        parts = np.split(order, begins)[1:]  # before the first begins nothing
        return {int(second): self.of(part) for second, part in zip(seconds, parts, strict=True)}


WorkersOf = Callable[[int, int], list[WorkerSecond]]
"""How the load workers fared in a second in which so many requests ended."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedLoad:
    """Everything that a journal holds."""

    run_id: str
    epoch_s: float
    endpoints: Sequence[Endpoint]
    spans: Sequence[PhaseSpan]
    requests: Sequence[Requests]
    workers: WorkersOf
    seconds: int
    """How many seconds are recorded; requests that ended later are left out."""
    failures: Sequence[str] = ()
    """The errors that requests failed with."""
    codes: Sequence[str] = ()
    """The code of each of them, if any has one."""
    samples: Sequence[FailureSample] = ()
    events: Sequence[Event] = ()
    waited: Callable[[int], bool] = lambda _: False
    """Whether arrivals of that second waited for a user, which the target kept busy."""
    end_s: float | None = None
    end_reason: EndReason | None = None
    """None: the run was killed."""


def write_run(
    folder: RunFolder,
    plan: RunPlan,
    environment: Environment,
    load: RecordedLoad,
    readings: Iterable[Reading] = (),
    profiles: ProfileIndex | None = None,
) -> None:
    """Write a run's plan, environment and streams into ``folder``, which is new. Nothing is judged."""
    write_text(folder.plan, plan.model_dump_json(indent=2) + "\n")
    write_text(folder.environment, environment.model_dump_json(indent=2) + "\n")
    with FrameWriter(folder.journal) as journal:
        for frame in journal_frames(load):
            journal.write(frame)
    resources = READINGS.writer(folder.resources)
    for reading in readings:
        resources.write(reading)
    resources.close()
    (profiles or ProfileIndex()).save(folder.profiles)


def journal_frames(load: RecordedLoad) -> Iterator[Frame]:
    """The journal of ``load``, in the order in which it would have been written."""
    yield {"kind": "start", "schema": SCHEMA, "run_id": load.run_id, "epoch_s": load.epoch_s}
    for number, endpoint in enumerate(load.endpoints):
        yield {"kind": "endpoint", "id": number, **asdict(endpoint)}
    frames = [*_phases(load), *((event.at_s, event.to_frame()) for event in load.events)]
    frames += _seconds(load)
    # Stable: what happened within a second stands before the frame that sums it up.
    yield from (frame for _, frame in sorted(frames, key=lambda entry: entry[0]))
    if load.end_reason is not None:
        yield {"kind": "end", "at_s": load.end_s, "reason": load.end_reason}


_Timed = tuple[float, Frame]
"""A frame and when it is written, in seconds of the run."""


def _phases(load: RecordedLoad) -> Iterator[_Timed]:
    for span in load.spans:
        yield span.start_s, {"kind": "phase", "phase": span.phase, "at_s": span.start_s}
        for number, at_s in enumerate(span.segments):
            chosen = span.chosen[number]._asdict() if span.chosen else {}
            yield at_s, {"kind": "segment", "phase": span.phase, "segment": number, "at_s": at_s, **chosen}
        if span.end_s is not None:
            end = {"at_s": span.end_s, "reason": span.reason, "held_segment": span.held_segment}
            yield span.end_s, {"kind": "phase_end", "phase": span.phase, **end}


def _seconds(load: RecordedLoad) -> Iterator[_Timed]:
    by_second = [requests.by_second() for requests in load.requests]
    samples: dict[int, list[FailureSample]] = {}
    for sample in load.samples:
        samples.setdefault(int(sample.at_s), []).append(sample)
    for second in range(load.seconds):
        ended = [parts[second] for parts in by_second if second in parts]
        workers = load.workers(second, sum(len(part.start_s) for part in ended))
        yield (
            second + 1.0,
            {
                "kind": "second",
                "second": second,
                "users": sum(worker.users for worker in workers),
                "workers": workers,
                "series": _table(second, ended),
                "lateness": _lateness(ended, waited=load.waited(second)),
            },
        )
        for part in ended:
            yield from ((second + 1.0, frame) for frame in _failures(second, part, load))
        for sample in samples.get(second, []):
            yield second + 1.0, {"kind": "sample", **asdict(sample)}


def _table(second: int, ended: Sequence[Requests]) -> dict[str, bytes]:
    sums = SecondAccumulator()
    for part in ended:
        count = len(part.start_s)
        sums.add_requests(
            packed(np.full(count, part.phase), part.segment, part.endpoint),
            np.full(count, part.is_open),
            response_us=part.response_us,
            service_us=part.service_us,
            bytes_received=part.bytes_received,
            failed=part.failure != SUCCEEDED,
            timed=np.ones(count, dtype=np.bool_),
        )
    return sums.table(second).to_wire()


def _lateness(ended: Sequence[Requests], *, waited: bool) -> dict[str, bytes]:
    parts = [part for part in ended if part.is_open]
    if not parts:
        return _nobody_late()
    phases = np.concatenate([np.full(len(part.start_s), part.phase) for part in parts])
    delays_us = np.concatenate([part.response_us - part.service_us for part in parts])
    return Lateness.table(phases, delays_us, 0 * delays_us if waited else delays_us).to_wire()


@cache
def _nobody_late() -> dict[str, bytes]:
    none = np.zeros(0, dtype=np.int64)
    return Lateness.table(none, none, none).to_wire()


def _failures(second: int, part: Requests, load: RecordedLoad) -> Iterator[dict[str, Any]]:
    failed = part.failure != SUCCEEDED
    pairs = np.stack([part.endpoint[failed], part.failure[failed]], axis=1)
    for (endpoint, failure), count in zip(*np.unique(pairs, axis=0, return_counts=True), strict=True):
        yield {
            "kind": "failure",
            "endpoint": int(endpoint),
            "phase": part.phase,
            "second": second,
            "failure": load.failures[int(failure)],
            "code": load.codes[int(failure)] if load.codes else "",
            "count": int(count),
        }
