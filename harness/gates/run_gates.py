"""The gates of a run: what each observed in a phase and endpoint, and whether it held."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import partial
from typing import Any

from harness.analysis.comparability import earlier_figures, why_not_comparable
from harness.analysis.generator import HELD
from harness.analysis.intervals import FEWEST, requests_to_bound, requests_to_show
from harness.analysis.measurement import endpoints_of, measure
from harness.gates.live import failed_beyond_recovery
from harness.gates.requirement import Finding, judged
from harness.messages import Message, Option, alternatives, message
from harness.metrics.statistics import Maximum, Mean, Proportion, Quantile
from harness.plan.hosts import host_of, is_loopback
from harness.plan.model import Gate
from harness.plan.requirement import Comparison
from harness.record.measurement import ALL, EndpointMeasurement, Interval
from harness.record.summary import GateResult, PhaseSummary
from harness.recording.recording import Recording
from harness.recording.run import PhaseRecord, RunRecording

_MOST_TIMES_LONGER = 100
"""A run that would have to be longer by more than this is not what settles a gate."""


def run_results(gate: Gate, run: RunRecording, summaries: Collection[PhaseSummary]) -> list[GateResult]:
    """What ``gate`` gives: one result for each phase that it reads."""
    phases = [gate.phase] if gate.phase else [phase.name for phase in run.plan.phases if phase.measured]
    states = {summary.name: summary for summary in summaries}
    if gate.default:  # nobody asked for requests
        phases = [phase for phase in phases if phase in states and states[phase].requests]
    return [
        _finding(gate, run, phase, states).result(gate.comparison, phase=phase, endpoint=gate.endpoint)
        for phase in phases
    ]


def _finding(gate: Gate, run: RunRecording, phase: str, states: dict[str, PhaseSummary]) -> Finding:
    record = next((record for record in run.phases if record.plan.name == phase), None)
    if record is None:
        return Finding("inconclusive", _why_no_phase(phase, [entry.name for entry in run.plan.phases]))
    endpoints = endpoints_of(record, run)
    measured = endpoints.get(gate.endpoint or ALL)
    if measured is None:
        assert gate.endpoint is not None
        known = alternatives(gate.endpoint, sorted(name for name in endpoints if name != ALL))
        reason = message("gate-unknown-endpoint", endpoint=gate.endpoint, phase=phase, known=known)
        return Finding("inconclusive", reason)
    observed = measured.figures.get(gate.comparison.metric)
    if observed is None:
        return Finding("inconclusive", _why_no_figure(gate, run, record))
    summary = states[phase]
    if gate.default and observed.value == 0:  # a quick run without a failure: no limit to prove, nothing to doubt
        finding = Finding(
            "pass", message("default-gate-without-failure", requests=measured.requests), observed, gate.comparison.value
        )
    else:
        finding = _judged(gate, run, record, measured, observed, summary)
    if run.journal.end_reason == "gate failed" and finding.status != "fail":
        # The run was ended for this, so it must be judged by what ended it.
        lost = failed_beyond_recovery(run.plan, run.journal, gate.model_copy(update={"phase": phase}))
        if lost is not None:
            finding.status, finding.reason = "fail", lost
    if run.journal.end_reason == "interrupted" and record is run.phases[-1] and finding.status != "inconclusive":
        # The requests that were cut off count as failed, and the others had no time to fail.
        finding.status, finding.reason = "inconclusive", message("gate-phase-interrupted", reason=finding.reason)
    return _qualified(finding, summary)


def _why_no_figure(gate: Gate, run: RunRecording, record: PhaseRecord) -> Message:
    phase, metric = record.plan.name, gate.comparison.metric
    if gate.comparison.measures.needs == "requests" or not len(record.table):
        return message("gate-no-requests", phase=phase)
    target = run.plan.target
    if target.kind == "attached" and target.pid is None:
        if target.url and not is_loopback(target.url):
            return message("gate-target-elsewhere", metric=metric, host=host_of(target.url))
        return message("gate-target-pid-unknown", metric=metric, option=Option("pid"))
    return message("gate-target-not-sampled", metric=metric, phase=phase)


def _why_no_phase(phase: str, planned: list[str]) -> Message:
    if phase in planned:
        return message("gate-phase-not-begun", phase=phase)
    return message("gate-phase-not-planned", phase=phase, known=alternatives(phase, planned))


def _judged(
    gate: Gate,
    run: RunRecording,
    record: PhaseRecord,
    measured: EndpointMeasurement,
    observed: Interval,
    summary: PhaseSummary,
) -> Finding:
    baselines: list[Interval] = []
    if gate.comparison.baseline:
        if run.baseline is None:
            return Finding("inconclusive", no_baseline(run), observed)
        phase, metric = record.plan.name, gate.comparison.metric
        of_phase = measure(run).phase(phase, record.variant)
        baselines = earlier_figures(run, of_phase, gate.endpoint or ALL, metric) if of_phase else []
        if not baselines:
            unknown = message(
                "baseline-lacks-figure", metric=metric, phase=phase, endpoint=gate.endpoint or "all endpoints"
            )
            return Finding("inconclusive", (of_phase and why_not_comparable(run, of_phase)) or unknown, observed)
    return judged(gate.comparison, observed, baselines, partial(_doubt, gate.comparison, measured, summary))


def no_baseline(recording: Recording) -> Message:
    """Why a gate cannot compare with a baseline."""
    return recording.no_baseline or message("baseline-missing", run=str(recording.folder.path))


def _doubt(
    comparison: Comparison,
    measured: EndpointMeasurement,
    summary: PhaseSummary,
    observed: Interval,
    limit: float,
    figures: dict[str, Any],
) -> Message:
    if summary.generator_strained and isinstance(comparison.measures.statistic, Quantile | Mean | Maximum):
        return message("gate-generator-late", why=summary.generator_strained, **figures)
    needed = _needed(comparison, measured.seconds, observed, limit)
    if measured.requests < needed:
        return message(
            "gate-too-few-requests", requests=measured.requests, seconds=measured.seconds, needed=needed, **figures
        )
    if comparison.baseline:
        return message("gate-within-noise", **figures)
    return message("gate-too-close", settle=_settle(observed, limit, measured.seconds), **figures)


def _settle(observed: Interval, limit: float, seconds: int) -> Message:
    """What would tell a figure from its limit: an interval shrinks with the root of the time that it rests on."""
    distance = abs(limit - observed.value)
    reaches = observed.value - observed.low
    if observed.value < limit:
        reaches = math.inf if observed.high is None else observed.high - observed.value
    longer = (reaches / distance) ** 2 if distance else math.inf
    if longer > _MOST_TIMES_LONGER:
        return message("gate-settle-limit")
    return message("gate-settle-longer", seconds=seconds, needed=math.ceil(seconds * longer / 10) * 10)


def _needed(comparison: Comparison, seconds: int, observed: Interval, limit: float) -> int:
    """How many requests it takes at the least, where too few may be why the gate is inconclusive; else 0."""
    match comparison.measures.statistic:
        case Mean() if observed.high is None:
            return FEWEST
        case Quantile(q) if observed.high is None:
            return requests_to_bound(q, seconds)
        case Proportion() if observed.value == 0 and limit > 0:
            return requests_to_show(limit / 100, seconds)
    return 0


def _qualified(finding: Finding, summary: PhaseSummary) -> Finding:
    """What the phase's own state does to a finding."""
    if summary.generator_limited:
        finding.status = "inconclusive"
        finding.reason = message("gate-generator-limited", why=summary.generator_limited)
    elif finding.status == "pass" and summary.dropped > HELD * summary.iterations:
        finding.status = "inconclusive"
        finding.reason = message("gate-arrivals-dropped", dropped=summary.dropped, reason=finding.reason)
    elif finding.status == "pass" and summary.cut_short:
        finding.status = "inconclusive"
        finding.reason = message("gate-phase-cut-short", how=summary.cut_short, reason=finding.reason)
    return finding
