"""What went wrong with the faults of a run, and what is left to undo."""

from __future__ import annotations

from pydantic import ValidationError

from harness.messages import Message, message
from harness.plan.model.fault import PlannedFault
from harness.record.fault_events import FaultSpan, fault_spans
from harness.recording.run import RunRecording
from harness.recording.streams import FAULTS

_SHORTER_S = 1.0
"""How much earlier than planned a fault may end: it begins and ends by another clock than its phase."""


def fault_warnings(run: RunRecording) -> list[Message]:
    """The faults that never began, could not begin, were cut short, or were not undone, with what is left to do."""
    found = fault_problems(run)
    return [found[fault.name] for fault in run.plan.faults if fault.name in found]


def fault_problems(run: RunRecording) -> dict[str, Message]:
    """What went wrong with each fault of which something did, by its name."""

    def compute() -> dict[str, Message]:
        spans = {span.name: span for span in fault_spans(run.read(FAULTS))}
        problems = {fault.name: _problem(fault, spans.get(fault.name), run) for fault in run.plan.faults}
        return {name: problem for name, problem in problems.items() if problem is not None}

    return run.once("fault problems", compute)


def _problem(fault: PlannedFault, span: FaultSpan | None, run: RunRecording) -> Message | None:
    if span is None:
        return message("fault-never-began", name=fault.name, why=_why_never(fault, run))
    if span.ended_s is None:
        return span.error or message("fault-left-open", name=fault.name, remedy=_by_hand(fault))
    if span.error is not None and span.error.code == "fault-not-undone":
        return message("fault-undone-late", name=fault.name, why=span.error.params["why"])
    lasted_s = span.ended_s - span.began_s
    if span.error is None and fault.for_s is not None and lasted_s < fault.for_s - _SHORTER_S:
        return message("fault-cut-short", name=fault.name, lasted_s=lasted_s, for_s=fault.for_s)
    return span.error


def _why_never(fault: PlannedFault, run: RunRecording) -> Message:
    phase = next((record for record in run.phases if record.plan.name == fault.phase), None)
    if phase is None:
        return message("fault-phase-not-begun", phase=fault.phase)
    if phase.length_s > fault.at_s:  # the disk was full, say
        return message("fault-not-carried-out")
    return message("fault-before-its-time", phase=fault.phase, length_s=phase.length_s, at_s=fault.at_s)


def _by_hand(fault: PlannedFault) -> Message:
    from harness import faults  # only here: few runs leave anything to undo

    try:
        return faults.FAULTS[fault.kind].model_validate(fault.settings).by_hand
    except (KeyError, ValidationError):  # of another version
        return message("fault-undo-unknown", kind=fault.kind)
