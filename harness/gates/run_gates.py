"""The gates of a run: what each observed in a phase and endpoint, and whether it held."""

from __future__ import annotations

from functools import partial
from typing import Any

from harness.analysis.comparability import comparable, why_not_comparable
from harness.analysis.intervals import interval_of, requests_to_bound, requests_to_show
from harness.analysis.samples import Sample, samples_of
from harness.gates.live import failed_beyond_recovery
from harness.gates.requirement import Finding, judged
from harness.messages import Message, alternatives, message
from harness.metrics.statistics import Proportion, Quantile
from harness.plan.model import Gate
from harness.plan.requirement import Comparison
from harness.record.measurement import ALL, Interval
from harness.record.summary import GateResult, PhaseSummary
from harness.recording.run import PhaseRecord, RunRecording


class Evaluator:
    """Evaluates gates on one run; the samples of a phase are made once for all gates that read it."""

    def __init__(self, run: RunRecording, summaries: list[PhaseSummary]) -> None:
        self._run = run
        self._records = {record.plan.name: record for record in run.phases}
        self._summaries = {summary.name: summary for summary in summaries}
        self._samples: dict[str, dict[str, Sample]] = {}

    def results(self, gate: Gate) -> list[GateResult]:
        """What ``gate`` gives: one result for each phase that it reads."""
        phases = [gate.phase] if gate.phase else [phase.name for phase in self._run.plan.phases if phase.measured]
        return [
            self._finding(gate, phase).result(gate.comparison, phase=phase, endpoint=gate.endpoint) for phase in phases
        ]

    def _finding(self, gate: Gate, phase: str) -> Finding:
        record = self._records.get(phase)
        if record is None:
            return Finding("inconclusive", self._why_no_phase(phase))
        samples = self._samples_of(record)
        sample = samples.get(gate.endpoint or ALL)
        observed = interval_of(sample, gate.comparison.measures) if sample else None
        if sample is None and gate.endpoint:
            return Finding("inconclusive", _why_no_endpoint(gate.endpoint, phase, samples))
        if sample is None or observed is None:
            reason = message("gate-no-requests", phase=phase)
            return Finding("inconclusive", reason)
        finding = self._judged(gate, record, sample, observed)
        if self._run.journal.end_reason == "gate failed" and finding.status != "fail":
            # The run was ended for this, so it must be judged by what ended it.
            lost = failed_beyond_recovery(self._run.plan, self._run.journal, gate.model_copy(update={"phase": phase}))
            if lost is not None:
                finding.status, finding.reason = "fail", lost
        return _qualified(finding, self._summaries[phase])

    def _why_no_phase(self, phase: str) -> Message:
        planned = [entry.name for entry in self._run.plan.phases]
        if phase in planned:
            return message("gate-phase-not-begun", phase=phase)
        return message("gate-phase-not-planned", phase=phase, known=alternatives(phase, planned))

    def _samples_of(self, record: PhaseRecord) -> dict[str, Sample]:
        name = record.plan.name
        if name not in self._samples:
            self._samples[name] = samples_of(record, self._run.journal)
        return self._samples[name]

    def _judged(self, gate: Gate, record: PhaseRecord, sample: Sample, observed: Interval) -> Finding:
        baselines = self._baselines(gate, record) if gate.comparison.baseline else []
        if isinstance(baselines, Message):
            return Finding("inconclusive", baselines, observed)
        return judged(gate.comparison, observed, baselines, partial(_doubt, gate.comparison, sample))

    def _baselines(self, gate: Gate, record: PhaseRecord) -> list[Interval] | Message:
        """The baseline's figures, or why there are none."""
        run = self._run
        if run.baseline is None:
            return no_baseline(run.no_baseline, str(run.folder.path))
        phase, endpoint, metric = record.plan.name, gate.endpoint or ALL, gate.comparison.metric
        figures = [earlier.figure(phase, endpoint, metric, record.variant) for earlier in comparable(run, record)]
        found = [figure for figure in figures if figure is not None]
        if found:
            return found
        unknown = message(
            "baseline-lacks-figure", metric=metric, phase=phase, endpoint=gate.endpoint or "all endpoints"
        )
        return why_not_comparable(run, record) or unknown


def no_baseline(why: Message | None, run: str) -> Message:
    """Why a gate cannot compare with a baseline; ``why`` is the reason, where the caller knows one."""
    return why or message("baseline-missing", run=run)


def _why_no_endpoint(endpoint: str, phase: str, samples: dict[str, Sample]) -> Message:
    return message(
        "gate-unknown-endpoint",
        endpoint=endpoint,
        phase=phase,
        known=alternatives(endpoint, sorted(key for key in samples if key != ALL)),
    )


def _doubt(
    comparison: Comparison, sample: Sample, observed: Interval, limit: float, figures: dict[str, Any]
) -> Message:
    requests, needed = int(sample.requests.sum()), _needed(comparison, sample, observed, limit)
    if requests < needed:
        return message("gate-too-few-requests", requests=requests, seconds=sample.n, needed=needed, **figures)
    if comparison.baseline:
        return message("gate-within-noise", **figures)
    return message("gate-too-close", **figures)


def _needed(comparison: Comparison, sample: Sample, observed: Interval, limit: float) -> int:
    """How many requests it takes at the least, where too few may be why the gate is inconclusive; else 0."""
    match comparison.measures.statistic:
        case Quantile(q) if observed.high is None:
            return requests_to_bound(q, sample.n)
        case Proportion() if observed.value == 0 and limit > 0:
            return requests_to_show(limit / 100, sample.n)
    return 0


def _qualified(finding: Finding, summary: PhaseSummary) -> Finding:
    """What the phase's own state does to a finding."""
    if summary.generator_limited:
        finding.status = "inconclusive"
        finding.reason = message("gate-generator-limited", why=summary.generator_limited)
    elif summary.cut_short and finding.status == "pass":
        finding.status = "inconclusive"
        finding.reason = message("gate-phase-cut-short", how=summary.cut_short, reason=finding.reason)
    return finding
