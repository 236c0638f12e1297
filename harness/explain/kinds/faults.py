"""A gate on a fault failed because of the fault; others may, if the target stayed broken.

A fault that was at work when the run ended may have broken the run.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.explain.questions import Question
from harness.messages import Message, message
from harness.metrics.formatting import Amount
from harness.record.explanation import Cause
from harness.record.fault_report import FaultReport

_ENDS_LATE_S = 2.0
"""How long after a fault a run may end for it."""


def causes(question: Question) -> Iterator[Cause]:
    for fault in question.summary.faults:
        if question.fault == fault.name:
            if any(gate.baseline is None for gate in question.gates):  # the baseline was under it, too
                yield question.cause("fault", _at_work(fault))
        elif question.fault is None and _is_left_in(fault, question):
            seen = Amount(fault.recovery_s or 0.0, "s")
            code = "cause-fault-lasted" if fault.recovered else "cause-fault-lasts"
            yield question.cause("fault", message(code, fault=fault.name, seen=seen), sure=False)
        elif question.family == "invariant" or (question.family == "run" and _at_the_end(fault, question)):
            yield question.cause("fault", _at_work(fault), sure=False)


def _at_work(fault: FaultReport) -> Message:
    where = {"fault": fault.name, "kind": fault.kind, "phase": fault.phase, "from_s": fault.start_s}
    if fault.end_s is None:
        return message("cause-fault-not-undone", **where)
    return message("cause-fault", **where, to_s=fault.end_s)


def _at_the_end(fault: FaultReport, question: Question) -> bool:
    """Whether it was at work when the run ended."""
    return fault.end_s is None or fault.end_s + _ENDS_LATE_S >= question.run.journal.last_s


def _is_left_in(fault: FaultReport, question: Question) -> bool:
    """Whether the question's phase has seconds after the fault that count, though the target had not recovered."""
    record = question.record
    return record is not None and fault.end_s is not None and record.end_s > fault.end_s and fault.recovers_late
