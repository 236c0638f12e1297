"""Faults while the run goes on: which are at work, and which seconds gates leave out for them.

Whether the target has recovered is known after the run. Until then, all the time that it may take is left out.
"""

from __future__ import annotations

import math
from contextlib import suppress

from harness.errors import HarnessError
from harness.plan.model.run import RunPlan
from harness.plan.recovery import recovery_allowed_s
from harness.record.fault_events import FAULT_EVENTS, FaultEvent, FaultSpan, fault_spans
from harness.record.frames import FrameReader
from harness.record.run_folder import RunFolder


class LiveFaults:
    """Follows what the run's folder says of faults. Times are since 1970; a second is named by its start."""

    def __init__(self, plan: RunPlan, folder: RunFolder) -> None:
        self._gates = plan.gates
        self._reader = FrameReader(folder.faults)
        self._events: list[FaultEvent] = []
        self._spans: list[FaultSpan] = []

    def update(self) -> None:
        """Read what was written since. A damaged file is left alone: it is not worth losing the run."""
        with suppress(HarnessError):
            new = FAULT_EVENTS.new_entries(self._reader)
            if new:
                self._events += new
                self._spans = fault_spans(self._events)

    def at_work(self, at_s: float) -> list[FaultSpan]:
        """The faults that were active at any moment of the second ``at_s``."""
        return [span for span in self._spans if span.began_s < at_s + 1 and at_s <= _ended_s(span)]

    def disturb(self, at_s: float) -> bool:
        """Whether one was, or the target may still have been recovering."""
        return any(
            span.began_s < at_s + 1 and at_s <= _ended_s(span) + recovery_allowed_s(self._gates, span.name)
            for span in self._spans
        )


def _ended_s(span: FaultSpan) -> float:
    return math.inf if span.ended_s is None else span.ended_s
