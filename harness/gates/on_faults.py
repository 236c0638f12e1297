"""Gates on faults: whether the target recovered in time, and why such a gate cannot tell."""

from __future__ import annotations

import math

from harness.analysis.faults import fault_named, recovery_of, watch_ended_by
from harness.analysis.recovery import HOLD_S
from harness.analysis.taken_cores import lost_to_others
from harness.gates.requirement import Finding, side_of
from harness.messages import Message, message
from harness.metrics.formatting import Estimate, Limit
from harness.plan.model.run import Gate
from harness.record.gate_result import GateStatus, Settle
from harness.record.measurement import ALL
from harness.recording.run import PhaseRecord, RunRecording

_RECOVERED: dict[GateStatus, str] = {
    "pass": "gate-recovered",
    "fail": "gate-recovered-late",
    "inconclusive": "gate-recovery-uncertain",
}
_NOT_RECOVERED: dict[GateStatus, str] = {
    "pass": "gate-not-recovered",  # of a limit from below, which asks for as much
    "fail": "gate-not-recovered",
    "inconclusive": "gate-recovery-not-seen",
}


def why_no_fault(name: str, run: RunRecording) -> Message | None:
    """Why the fault of that name shows nothing; None if it was active as planned."""
    fault = fault_named(run, name)
    if fault is None:
        return message("gate-fault-not-begun", fault=name)
    return None if fault.error is None else message("gate-fault-failed", fault=name, error=fault.error)


def judged_recovery(gate: Gate, run: RunRecording, record: PhaseRecord) -> Finding:
    """Whether the target recovered from its fault as soon as ``gate`` requires. The fault was active as planned."""
    comparison = gate.comparison
    assert comparison.after is not None
    fault = fault_named(run, comparison.after)
    assert fault is not None
    if fault.end_s is None:
        return Finding("inconclusive", message("gate-fault-not-undone", fault=fault.name))
    found = recovery_of(run, fault, comparison.recovered, gate.endpoint or ALL, record.variant)
    if found is None:
        return Finding("inconclusive", message("gate-nothing-before-fault", fault=fault.name))
    unit, limit = comparison.unit, comparison.value
    status = side_of(comparison, found.took, limit)
    by = watch_ended_by(run, fault) if status == "inconclusive" and not found.recovered else None
    code = (_RECOVERED if found.recovered else _NOT_RECOVERED)[status]
    reason = Message(
        code if by is None else "gate-recovery-cut-off",
        {
            "metric": comparison.metric,
            "fault": fault.name,
            "observed": Estimate(found.took, unit),
            "limit": Limit(limit, unit),
            "condition": found.condition.source,
            "other": by,
        },
    )
    settle = None
    if status == "inconclusive" and by is None:  # in a longer phase, the other fault would begin as early
        more_s = 0.0 if found.recovered else limit + HOLD_S - found.took.value
        settle = Settle(seconds=math.ceil(record.load_s + more_s) if more_s > 0 else None)
    lost_s = lost_to_others(run, fault.end_s, fault.end_s + found.took.value)
    alone = found.took.model_copy(update={"low": max(0.0, found.took.low - lost_s)})
    if side_of(comparison, alone, limit) != status:  # others only add time
        reason = message("gate-recovery-contaminated", lost_s=lost_s, reason=reason)
        return Finding("inconclusive", reason, found.took, limit)
    return Finding(status, reason, found.took, limit, settle=settle)
