"""When faults were active, how the target recovered from them, and which seconds they disturbed.

A second is **under** a fault from its beginning to its end, and also later if more than
:data:`~harness.analysis.backlog.BACKLOG` of the requests that end in it began before the end of the fault: those that
it held up may end long after it. Gates on the fault judge these seconds.

A second is **disturbed** if it is under a fault, or if the target had not recovered from one yet
(:mod:`harness.analysis.recovery`): for :data:`~harness.plan.recovery.MOST_RECOVERY_S`, or for as long as a gate on the
recovery time allows, and for what others took of the cores in that time. A target that takes longer is slow or failing,
and its figures show it. All gates that name no fault, figures that are compared with other runs, and causes leave
disturbed seconds out.

A fault that was never undone disturbs all seconds until the end.

In a duet, both builds are under a fault at once, and blocks of turns are judged: those of which all seconds are under
it, or none is disturbed. A request belongs to the block in which it began: what a fault holds up reaches no other one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.backlog import add_held_up
from harness.analysis.recovery import Recovery, as_before, recovery
from harness.analysis.samples import seconds_in, whole_sample
from harness.analysis.taken_cores import lost_to_others
from harness.messages import Message
from harness.metrics.aggregate import Aggregate
from harness.plan.phases import MEMORY_PASS, phase_kind
from harness.plan.recovery import recovery_allowed_s
from harness.plan.requirement import Condition
from harness.record.fault_events import FaultSpan, fault_spans
from harness.record.measurement import ALL, ONLY
from harness.record.second_table import Bools
from harness.recording.run import PhaseRecord, RunRecording
from harness.recording.streams import FAULTS

_BEFORE_S = 30
"""So many seconds before a fault show how the target was."""
_FEWEST_BEFORE_S = 5
_WATCHED_S = 600
"""A recovery that takes longer is none."""


@dataclass(frozen=True, slots=True)
class FaultTime:
    """A fault that began; times are seconds of the run."""

    name: str
    kind: str
    phase: str
    begin_s: float
    end_s: float | None
    """None: it was never undone."""
    error: Message | None

    @classmethod
    def of(cls, span: FaultSpan, epoch_s: float) -> FaultTime:
        end_s = None if span.ended_s is None else span.ended_s - epoch_s
        return cls(span.name, span.kind, span.phase, span.began_s - epoch_s, end_s, span.error)

    def seconds(self, last: int) -> range:
        """The seconds in which it was active, until the run's ``last`` if it never ended."""
        first = math.floor(self.begin_s)
        return range(first, max(first + 1, last + 1 if self.end_s is None else math.ceil(self.end_s)))

    def whole_seconds(self, last: int) -> range:
        """Those of which it took all."""
        return range(math.ceil(self.begin_s), last + 1 if self.end_s is None else math.floor(self.end_s))


def faults_of(run: RunRecording) -> list[FaultTime]:
    """The faults that began, in order. Computed once."""

    def compute() -> list[FaultTime]:
        found = [FaultTime.of(span, run.journal.epoch_s) for span in fault_spans(run.read(FAULTS))]
        return sorted(found, key=lambda fault: fault.begin_s)

    return run.once("fault times", compute)


def fault_named(run: RunRecording, name: str) -> FaultTime | None:
    """The fault of that name; None if it did not begin."""
    return next((fault for fault in faults_of(run) if fault.name == name), None)


def under_fault(record: PhaseRecord, run: RunRecording, name: str) -> Bools:
    """Which seconds of a phase are under the fault ``name``; in a duet, those in which it was active throughout."""
    fault = fault_named(run, name)
    if fault is None:
        return _under(record, [])
    return _under(record, [fault.whole_seconds(_last(run)) if record.turns else fault.seconds(_last(run))])


def disturbed_in(record: PhaseRecord, run: RunRecording) -> Bools:
    """Which seconds of a phase faults disturbed."""
    at_work = [fault.seconds(_last(run)) for fault in faults_of(run)]
    return _under(record, at_work) | _in_spans(record, _disturbed(run))


def _under(record: PhaseRecord, at_work: Sequence[range]) -> Bools:
    seconds = _in_spans(record, at_work)
    if seconds.any() and not record.turns:
        add_held_up(seconds, whole_sample(record))
    return seconds


def _in_spans(record: PhaseRecord, spans: Sequence[range]) -> Bools:
    return np.array([any(second in span for span in spans) for second in seconds_in(record)], dtype=np.bool_)


def _disturbed(run: RunRecording) -> list[range]:
    """The seconds of the run in which a fault was active, or the target had not recovered from one."""

    def compute() -> list[range]:
        spans: list[range] = []
        for fault in faults_of(run):
            at_work = fault.seconds(_last(run))
            spans.append(at_work)
            found = _recovery(run, fault, None, ALL, spans)
            if found is not None and fault.end_s is not None:
                # In the middle of the second in which the condition holds again, it may not have held yet.
                took_s = found.took.value + 1 if found.recovered else math.inf
                back_s = fault.end_s + min(took_s, left_out_s(run, fault) or 0.0)
                spans.append(range(at_work.stop, min(round(back_s), _last(run) + 1)))
        return spans

    return run.once("disturbed seconds", compute)


def recovery_of(
    run: RunRecording, fault: FaultTime, condition: Condition | None = None, endpoint: str = ALL, variant: str = ONLY
) -> Recovery | None:
    """How the target recovered from a fault; None if it was never undone, or without seconds before it to compare with.

    ``condition`` None: until the target is as it was before. ``variant``: one build of a duet; else both together.
    """
    return _recovery(run, fault, condition, endpoint, _disturbed(run), variant)


def left_out_s(run: RunRecording, fault: FaultTime) -> float | None:
    """How long after a fault the target may take to recover before its seconds count; None: it was never undone."""
    if fault.end_s is None:
        return None
    allowed_s = recovery_allowed_s(run.plan.gates, fault.name)
    return allowed_s + lost_to_others(run, fault.end_s, fault.end_s + allowed_s)


def _recovery(
    run: RunRecording,
    fault: FaultTime,
    condition: Condition | None,
    endpoint: str,
    disturbed: Sequence[range],
    variant: str = ONLY,
) -> Recovery | None:
    """``disturbed`` are at least the spans of this fault and of those before it."""
    if fault.end_s is None:
        return None
    loaded = _loaded(run)
    if condition is None:
        earlier = (second for second in reversed(range(math.floor(fault.begin_s))) if second in loaded)
        calm = [second for second in earlier if not any(second in span for span in disturbed)][:_BEFORE_S]
        condition = as_before(_requests(run, calm[::-1], endpoint, variant)) if len(calm) >= _FEWEST_BEFORE_S else None
    if condition is None:
        return None
    watched = _watched(run, fault)
    return recovery(condition, _requests(run, watched, endpoint, variant), watched.start, fault.end_s)


def watch_ended_by(run: RunRecording, fault: FaultTime) -> str | None:
    """The name of the fault that ended the watch for the recovery from another one; None if the load did."""
    after = _watched(run, fault).stop
    return next((other.name for other in _others(run, fault) if after in other.seconds(_last(run))), None)


def _watched(run: RunRecording, fault: FaultTime) -> range:
    """The seconds after a fault, until the load ends or another fault begins."""
    first, loaded = fault.seconds(0).stop, _loaded(run)
    others = [other.seconds(_last(run)) for other in _others(run, fault)]
    ends = (at for at in range(first, first + _WATCHED_S) if at not in loaded or any(at in other for other in others))
    return range(first, next(ends, first + _WATCHED_S))


def _others(run: RunRecording, fault: FaultTime) -> list[FaultTime]:
    return [other for other in faults_of(run) if other is not fault]


def _requests(run: RunRecording, seconds: Sequence[int], endpoint: str, variant: str) -> list[Aggregate]:
    """The requests that ended in each of these seconds, whichever phase had started them."""
    journal = run.journal
    asked = {
        number
        for number, known in journal.endpoints.items()
        if endpoint in (ALL, str(known)) and variant in (ONLY, known.variant)
    }
    by_number = run.once("seconds by number", lambda: {second.second: second for second in journal.seconds})
    parts = (by_number[second].endpoint_seconds if second in by_number else [] for second in seconds)
    return [Aggregate.of((part for part in each if part.endpoint in asked), 1.0) for each in parts]


def _loaded(run: RunRecording) -> set[int]:
    """The seconds in which phases, except the memory pass, put load on the target."""
    return {
        second
        for record in run.phases
        if phase_kind(record.plan.kind).has_load and record.plan.kind != MEMORY_PASS
        for second in seconds_in(record)
    }


def _last(run: RunRecording) -> int:
    return max((second.second for second in run.journal.seconds), default=0)
