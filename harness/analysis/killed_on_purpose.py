"""Which processes of the target a fault has ended: they did not die by themselves."""

from __future__ import annotations

import math
import signal

from harness.plan.model.fault import PlannedFault
from harness.record.fault_events import fault_spans
from harness.record.process_events import ProcessEvent
from harness.recording.run import RunRecording
from harness.recording.streams import FAULTS, PROCESSES

_SEEN_LATE_S = 1.0
"""How long after a process has ended the sampler may see it."""
_BACK_S = 2.0
"""A target that ends sooner than this after its restart has not come back."""


def killed_by_fault(run: RunRecording, end: ProcessEvent) -> bool:
    """Whether a fault has killed that process, or ended it to start it again."""
    return any(
        end.status in (None, -signal.SIGKILL) or fault.settings["action"] == "restart"
        for fault in _at_work(run, end, _SEEN_LATE_S)
    )


def fault_that_ended_target(run: RunRecording) -> str | None:
    """The fault after which the target's process did not come back, or ended at once; None if there is none."""
    ends = [event for event in run.read(PROCESSES) if event.event == "ended" and event.root]
    faults = _at_work(run, ends[-1], _BACK_S) if ends else []
    return faults[-1].name if faults else None


def _at_work(run: RunRecording, end: ProcessEvent, later_s: float) -> list[PlannedFault]:
    """The faults that were ending processes when that process ended, or up to ``later_s`` before."""
    planned = {fault.name: fault for fault in run.plan.faults if fault.kind == "process"}
    return [
        planned[span.name]
        for span in fault_spans(run.read(FAULTS))
        if span.name in planned
        and planned[span.name].settings.get("action") in ("kill", "restart")
        and span.began_s <= end.epoch_s <= (math.inf if span.ended_s is None else span.ended_s) + later_s
    ]
