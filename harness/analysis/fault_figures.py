"""What each fault did: the requests under it, and how the target recovered."""

from __future__ import annotations

from harness.analysis.contamination import contamination_of
from harness.analysis.fault_warnings import fault_problems
from harness.analysis.faults import FaultTime, faults_of, left_out_s, recovery_of
from harness.analysis.samples import kept_in, whole_sample
from harness.metrics.aggregate import Aggregate
from harness.record.fault_report import FaultReport
from harness.record.notice import Notice
from harness.recording.run import RunRecording


def fault_reports(run: RunRecording) -> list[FaultReport]:
    """The faults of a run that began, in order."""
    return [_report(run, fault) for fault in faults_of(run)]


def _report(run: RunRecording, fault: FaultTime) -> FaultReport:
    parts = [
        whole_sample(record).only(kept_in(record, contamination_of(record, run, fault.name).not_counted)).aggregate
        for record in run.phases
        if record.plan.name == fault.phase
    ]
    under = Aggregate.of(parts, sum(part.length_s for part in parts))
    found = recovery_of(run, fault)
    problem = fault_problems(run).get(fault.name)
    return FaultReport(
        name=fault.name,
        kind=fault.kind,
        phase=fault.phase,
        start_s=fault.begin_s,
        end_s=fault.end_s,
        problem=None if problem is None else Notice.of(problem),
        requests=under.requests,
        failures=under.failures,
        error_rate=under.failures / under.requests if under.requests else None,
        p95_ms=under.quantile(0.95),
        recovered=None if found is None else found.recovered,
        recovery_s=None if found is None else found.took.value,
        recovery_interval_s=None if found is None else (found.took.low, found.took.high),
        left_out_s=left_out_s(run, fault),
        recovery_condition=None if found is None else found.condition.source,
    )
