"""Which processes of the target died during the load: how, when, and what took their place."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from harness.analysis.killed_on_purpose import killed_by_fault
from harness.messages import Message, message
from harness.messages.signals import how_it_ended, signal_name
from harness.metrics.formatting import Amount
from harness.record.findings import ProcessEnd
from harness.record.notice import Notice
from harness.record.process_events import ProcessEvent
from harness.record.resources import process_source
from harness.recording.run import PhaseRecord, RunRecording
from harness.recording.streams import PROCESSES

_HELPER_S = 2.0
"""A process that ends sooner is a command that the target runs; its exit code is not reported."""
_REPLACED_S = 10.0
"""How long a parent may take to start another."""
_WITH_ROOT_S = 0.5
"""Processes that end with the first one, or after it, end because of it."""
_ORDERLY = {0, *(-number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT))}
"""How a worker ends that its parent renews."""


def ends_of(run: RunRecording) -> list[ProcessEnd]:
    """The processes that died, in order, without workers that ended normally and processes that a fault has killed."""
    events = run.read(PROCESSES)
    ended = [event for event in events if event.event == "ended" and not killed_by_fault(run, event)]
    roots = [event for event in ended if event.root]
    found = []
    for event in ended:
        started = _start_of(event, events)
        successor = None if started is None else _successor(started, event, events)
        if event.root or (not _with_root(event, roots) and _is_loss(event, started, successor)):
            found.append(_end(run, event, started, successor))
    return found


def _start_of(event: ProcessEvent, events: Sequence[ProcessEvent]) -> ProcessEvent | None:
    starts = [other for other in events if other.event == "started" and other.pid == event.pid]
    return next((start for start in reversed(starts) if start.epoch_s <= event.epoch_s), None)


def _successor(started: ProcessEvent, ended: ProcessEvent, events: Sequence[ProcessEvent]) -> ProcessEvent | None:
    """The first process of the same parent that was started after it."""
    for event in events:
        same = event.event == "started" and (event.parent, event.name) == (started.parent, started.name)
        if same and 0 <= event.epoch_s - ended.epoch_s <= _REPLACED_S:
            return event
    return None


def _with_root(event: ProcessEvent, roots: Sequence[ProcessEvent]) -> bool:
    return any(root.variant == event.variant and event.epoch_s > root.epoch_s - _WITH_ROOT_S for root in roots)


def _is_loss(ended: ProcessEvent, started: ProcessEvent | None, successor: ProcessEvent | None) -> bool:
    if started is None or ended.epoch_s - started.epoch_s < _HELPER_S:
        return False
    return successor is not None if ended.status is None else ended.status not in _ORDERLY


def _end(
    run: RunRecording, ended: ProcessEvent, started: ProcessEvent | None, successor: ProcessEvent | None
) -> ProcessEnd:
    at_s = ended.epoch_s - run.journal.epoch_s
    record = next((record for record in reversed(run.phases) if record.start_s <= at_s), None)
    status = ended.status
    end = ProcessEnd(
        pid=ended.pid,
        root=ended.root,
        name=started.name if started else "",
        variant=ended.variant,
        exit_code=status if status is not None and status >= 0 else None,
        signal=signal_name(-status) if status is not None and status < 0 else None,
        out_of_memory=ended.out_of_memory,
        at_s=round(at_s, 3),
        phase=record.plan.name if record else None,
        phase_s=round(at_s - record.start_s, 3) if record else None,
        rss_bytes=_memory_before(run, ended),
        last_lines=list(ended.last_lines),
        replaced_by=successor.pid if successor else None,
        notice=Notice(code="", text=""),
    )
    return end.model_copy(update={"notice": Notice.of(_sentence(ended, end, record))})


def _sentence(ended: ProcessEvent, end: ProcessEnd, record: PhaseRecord | None) -> Message:
    details: list[Message] = []
    if record is not None and end.phase_s is not None:
        details.append(message("ended-in-phase", phase=record.plan.name, phase_s=end.phase_s))
    if end.rss_bytes is not None:
        details.append(message("ended-holding", rss=Amount(end.rss_bytes, "B")))
    how = how_it_ended(ended.status, out_of_memory=ended.out_of_memory)
    how = message("ended-when", end=how, details=details) if details else how
    if end.root:
        return message("target-died", how=how)
    if end.replaced_by is None:
        return message("process-died", pid=end.pid, how=how)
    return message("process-died-replaced", pid=end.pid, how=how, replaced_by=end.replaced_by)


def _memory_before(run: RunRecording, ended: ProcessEvent) -> float | None:
    source = "target" if ended.root and not ended.variant else process_source(ended.pid)
    return next(
        (
            reading.values["rss_bytes"]
            for reading in reversed(run.readings)
            # One that has ended, but was not waited for yet, has none.
            if reading.source == source and reading.values.get("rss_bytes") and reading.epoch_s <= ended.epoch_s
        ),
        None,
    )
