"""The gates of a run: what each observed in a phase and endpoint, and whether it held."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import partial

from harness.analysis.blocked import blocked_by
from harness.analysis.capacity import steps_of
from harness.analysis.checks import check_samples
from harness.analysis.comparability import beside_baseline, remedy_of, why_not_comparable
from harness.analysis.contamination import ENOUGH, ENOUGH_S, Contamination, contamination_of
from harness.analysis.contract import contract_of
from harness.analysis.duet import paired
from harness.analysis.generator import HELD
from harness.analysis.measurement import endpoints_of, measure
from harness.analysis.run_sets import SURE
from harness.analysis.series import interval_of, phase_series
from harness.gates.contract import why_not_held
from harness.gates.doubt import RunDoubt
from harness.gates.escalation import weighed_with_earlier_nights
from harness.gates.invariants import figure_result
from harness.gates.live import failed_beyond_recovery
from harness.gates.live_faults import LiveFaults
from harness.gates.nothing_to_judge import no_baseline, why_no_figure, why_no_phase
from harness.gates.on_faults import judged_recovery, why_no_fault
from harness.gates.requirement import Finding, judge, judge_beside, judged
from harness.gates.steps import judged_by_steps
from harness.messages import alternatives, message
from harness.metrics.named import name_in
from harness.metrics.statistics import Proportion
from harness.plan.duet import A, B
from harness.plan.gating import reads
from harness.plan.model.run import Gate
from harness.plan.phases.base import Level
from harness.plan.requirement import Comparison
from harness.record.gate_result import GateResult
from harness.record.measurement import ALL, CALM, ONLY, EndpointMeasurement, Interval, UndecidedGate
from harness.record.phase_summary import PhaseSummary
from harness.recording.run import PhaseRecord, RunRecording

_JUDGED = (ONLY, B)
"""In a duet, build B is judged; A is what it is compared with."""


def run_results(gate: Gate, run: RunRecording, summaries: Collection[PhaseSummary]) -> list[GateResult]:
    """What ``gate`` gives: one result for each phase that it reads."""
    if gate.comparison.measures.needs == "verify":
        return [figure_result(gate, run)]
    phases = [gate.phase] if gate.phase else [phase.name for phase in run.plan.phases if reads(gate, phase)]
    states = {summary.name: summary for summary in summaries if summary.variant in _JUDGED}
    if gate.default:  # the user did not state it
        blocked = {record.plan.name for record in run.phases if blocked_by(record, run)}
        phases = [phase for phase in phases if phase in states and (states[phase].requests or phase in blocked)]
    results = [
        _finding(gate, run, phase, states).result(gate.comparison, phase=phase, endpoint=gate.endpoint)
        for phase in phases
    ]
    return [result.model_copy(update={"fault": gate.comparison.fault}) for result in results]


def _finding(gate: Gate, run: RunRecording, phase: str, states: dict[str, PhaseSummary]) -> Finding:
    judged_records = (record for record in run.phases if record.variant in _JUDGED)
    record = next((record for record in judged_records if record.plan.name == phase), None)
    if record is None:
        return Finding("inconclusive", why_no_phase(phase, [entry.name for entry in run.plan.phases]))
    fault = gate.comparison.fault
    if fault is not None and (without := why_no_fault(fault, run)) is not None:
        return Finding("inconclusive", without)
    if gate.comparison.after is not None:
        return judged_recovery(gate, run, record)
    contamination = contamination_of(record, run, gate.comparison.during)
    if fault is None and not contamination.faults_leave_enough:
        seconds, left = len(contamination.seconds), contamination.all_counted
        return Finding("inconclusive", message("gate-under-faults", seconds=seconds, left=left, needed=ENOUGH_S))
    disturbed = _disturbed_by_others(gate.comparison)
    left_out = contamination.left_out if disturbed else contamination.not_counted
    found = _observed(gate, run, record, left_out)
    if isinstance(found, Finding):
        return found
    measured, observed = found
    summary = states[phase]
    if gate.default and observed.value == 0:  # a quick run without a failure: no limit to prove, nothing to doubt
        reason = message("default-gate-without-failure", requests=measured.requests)
        finding = Finding("pass", reason, observed, gate.comparison.value)
    else:
        finding = _judged(gate, run, record, measured, observed, summary)
    finding = _as_the_run_ended(finding, gate, run, record, contamination)
    if gate.comparison.measures.needs == "contract":
        finding = _as_it_was_checked(finding, run)
    if gate.comparison.measures.needs == "steps":
        return _beside_others(finding, record, run, contamination)  # steps limited by the generator are left out
    if not finding.at_equal_speed:  # others do not matter there
        finding = _uncontaminated(finding, gate.comparison, contamination)
        finding.seconds_left_out = contamination.count if disturbed and contamination.leaves_enough else 0
    limits = _limited_generator_matters(gate.comparison, record)
    # The phase was complete: the scenario itself ended it, or a duet's gates were decided.
    whole = (gate.default and run.journal.end_reason == "scenario") or run.journal.end_reason == "decided"
    return _qualified(finding, summary, limits=limits, whole=whole)


def _observed(
    gate: Gate, run: RunRecording, record: PhaseRecord, left_out: frozenset[int]
) -> tuple[EndpointMeasurement, Interval] | Finding:
    """What was measured for the gate, and its figure; a finding where there is none."""
    comparison = gate.comparison
    endpoints = endpoints_of(record, run, left_out)
    measured = endpoints.get(gate.endpoint or ALL)
    if measured is None:
        assert gate.endpoint is not None
        phase, known = record.plan.name, alternatives(gate.endpoint, sorted(name for name in endpoints if name != ALL))
        reason = message("gate-unknown-endpoint", endpoint=gate.endpoint, phase=phase, known=known)
        return Finding("inconclusive", reason)
    observed = measured.figures.get(comparison.metric)
    if observed is None and comparison.series is not None:
        observed = interval_of(comparison.series, phase_series(record, run, left_out))
    if observed is None and (blocked := blocked_by(record, run)) and comparison.measures.needs == "requests":
        return _blocked(comparison, record, blocked)
    if observed is None:
        return Finding("inconclusive", why_no_figure(gate, run, record))
    if comparison.measures.needs == "checks":
        made = check_samples(record, run, left_out)[name_in(comparison.metric)]
        measured = measured.model_copy(update={"requests": int(made.requests.sum())})
    return measured, observed


def _as_the_run_ended(
    finding: Finding, gate: Gate, run: RunRecording, record: PhaseRecord, contamination: Contamination
) -> Finding:
    """What it does to a finding that the run was ended for a gate, or interrupted."""
    end_reason = run.journal.end_reason
    if end_reason == "gate failed" and gate.comparison.fault is None and finding.status != "fail":
        # The run was ended for this, so it must be judged by what ended it.
        asked, faults = gate.model_copy(update={"phase": record.plan.name}), LiveFaults(run.plan, run.folder)
        lost = None if contamination.count else failed_beyond_recovery(run.plan, run.journal, asked, faults)
        if lost is not None:
            finding.status, finding.reason = "fail", lost
    if end_reason == "interrupted" and record is run.phases[-1] and finding.status != "inconclusive":
        # The requests that were cut off count as failed, and the others had no time to fail.
        finding.status, finding.reason = "inconclusive", message("gate-phase-interrupted", reason=finding.reason)
    return finding


def _as_it_was_checked(finding: Finding, run: RunRecording) -> Finding:
    """What it does to a finding on breaches that responses were not checked as they should have been."""
    contract = contract_of(run)
    if finding.status == "pass" and contract is not None and (reason := why_not_held(contract)) is not None:
        finding.status, finding.reason = "inconclusive", reason
    return finding


def _blocked(comparison: Comparison, record: PhaseRecord, count: int) -> Finding:
    """Of a phase whose users all waited for responses: they took longer than the phase, so nothing was fast enough."""
    metric = comparison.measures
    bounded = comparison.comparator[0] == ("<" if metric.better == "lower" else ">")
    fails = bounded and not metric.unit.is_share and not comparison.baseline
    reason = message("gate-blocked", phase=record.plan.name, count=count, length_s=record.load_s)
    return Finding("fail" if fails else "inconclusive", reason)


def _judged(
    gate: Gate,
    run: RunRecording,
    record: PhaseRecord,
    measured: EndpointMeasurement,
    observed: Interval,
    summary: PhaseSummary,
) -> Finding:
    if gate.comparison.baseline and run.plan.is_duet:
        return _judged_beside_a(gate, run, record, measured, summary)
    if gate.comparison.step is not None:
        return judged_by_steps(gate.comparison, observed, run, record.plan.name, gate.endpoint or ALL)
    if not gate.comparison.baseline:
        return judged(gate.comparison, observed, [], RunDoubt(gate, run, record, measured, summary, 0))
    if run.baseline is None:
        return Finding("inconclusive", no_baseline(run), observed)
    phase, metric, endpoint = record.plan.name, gate.comparison.metric, gate.endpoint or ALL
    of_phase = measure(run).phase(phase, record.variant, gate.comparison.during or CALM)
    asked = UndecidedGate(require=gate.comparison.source, phase=phase, endpoint=gate.endpoint)
    beside = beside_baseline(run, of_phase, endpoint, metric, gate=asked) if of_phase else None
    if of_phase is None or beside is None or not beside.earlier:
        unknown = message(
            "baseline-lacks-figure",
            metric=metric,
            phase=phase,
            endpoint=endpoint or "all endpoints",
            remedy=remedy_of(run),
        )
        return Finding("inconclusive", (of_phase and why_not_comparable(run, of_phase)) or unknown, observed)
    doubt = RunDoubt(gate, run, record, measured, summary, len(beside.earlier))
    rule = partial(judge, calibrated=beside.noise)
    finding = judged(gate.comparison, beside.observed, beside.figures, doubt, rule, beside.slower)
    return weighed_with_earlier_nights(finding, gate.comparison, run, of_phase, endpoint, asked)


def _judged_beside_a(
    gate: Gate, run: RunRecording, record: PhaseRecord, measured: EndpointMeasurement, summary: PhaseSummary
) -> Finding:
    """In a duet, the baseline is build A, which ran in the same seconds.

    Several gates are judged at once, and a build must seldom fail beside itself: only an interval of :data:`SURE`
    fails a gate.
    """
    metric = gate.comparison.measures
    if metric.needs == "metrics":
        return Finding("inconclusive", message("gate-series-in-duet"))
    during = gate.comparison.during
    pair = paired(run, record.plan, gate.endpoint or ALL, metric, during)
    of_a = measure(run).figure(record.plan.name, gate.endpoint or ALL, metric.name, A, during or CALM)
    # Growth does not depend on turns, and too few requests are traced, or checked, to compare turn by turn.
    if (metric.unit.is_signed or metric.needs in ("traces", "checks")) and of_a is not None:
        observed = measured.figures[metric.name]
        return judged(gate.comparison, observed, [of_a], RunDoubt(gate, run, record, measured, summary, 1))
    if pair is None:
        return Finding("inconclusive", message("duet-too-few-requests", metric=metric.name, phase=record.plan.name))
    return judged(
        gate.comparison,
        pair.figure(metric),
        [],
        RunDoubt(gate, run, record, measured, summary, 0),
        judge_beside(pair.a, pair.effect.widening(SURE)),
    )


def _uncontaminated(finding: Finding, comparison: Comparison, contamination: Contamination) -> Finding:
    """What seconds in which others took the cores do to a finding where too few are clean to judge by those alone.

    Nothing that is relative to another run stands. Others only add time, so what is within an absolute limit in spite
    of them stands, but what is beyond it does not.
    """
    undecided = finding.status == "inconclusive" and finding.settle is None  # there was nothing to judge
    stands = undecided or (finding.status == "pass" and not comparison.baseline)
    if contamination.leaves_enough or stands or not _disturbed_by_others(comparison):
        return finding
    finding.status, finding.settle = "inconclusive", None
    finding.reason = message(
        "gate-contaminated",
        contaminated=contamination.count,
        seconds=contamination.all_counted,
        others=contamination.others_cores,
        reason=finding.reason,
    )
    return finding


def _beside_others(finding: Finding, record: PhaseRecord, run: RunRecording, contamination: Contamination) -> Finding:
    """What it does to a capacity that others took the cores while the step ran that bounds it from above.

    Others only add time, so a level that held in spite of them stands, and with it a gate that passed.
    """
    broke = [step for step in steps_of(record, run.journal) if step.held is False and not step.limited]
    lowest = min(broke, key=lambda step: step.level, default=None)
    if lowest is None or finding.status == "pass" or finding.observed is None:
        return finding
    seconds = range(int(lowest.start_s), math.ceil(lowest.end_s))
    taken = len({*seconds} & {*contamination.numbers})
    if taken <= (1 - ENOUGH) * len(seconds):
        return finding
    finding.status, finding.settle = "inconclusive", None
    finding.reason = message(
        "gate-step-contaminated",
        level=str(Level(record.plan.model, lowest.level)),
        contaminated=taken,
        seconds=len(seconds),
        others=contamination.others_cores,
        reason=finding.reason,
    )
    return finding


def _disturbed_by_others(comparison: Comparison) -> bool:
    """Whether others that take the cores may have made the figure. A failure within an absolute limit is a failure."""
    absolute_failures = isinstance(comparison.measures.statistic, Proportion) and not comparison.baseline
    return comparison.measures.others_matter and not absolute_failures


def _limited_generator_matters(comparison: Comparison, record: PhaseRecord) -> bool:
    """Whether a figure says nothing of the target because the generator was the limit.

    In the closed model the phase asks for users, and they were there: they only sent less. That leaves shares of what
    they sent as they are. In the open model, the load that the phase asks for was not put on.
    """
    if comparison.measures.needs == "contract":
        return False
    of_sent = isinstance(comparison.measures.statistic, Proportion) and not comparison.baseline
    return record.plan.model == "open" or not of_sent


def _qualified(finding: Finding, summary: PhaseSummary, *, limits: bool, whole: bool) -> Finding:
    """What the phase's own state does to a finding.

    ``limits``: whether a generator that was the limit voids it. ``whole``: whether all that counts was run, even if the
    phase ended early.
    """
    if summary.generator_limited and limits:
        finding.status = "inconclusive"
        finding.reason = message("gate-generator-limited", why=summary.generator_limited)
    elif finding.status == "pass" and summary.dropped > HELD * summary.iterations:
        finding.status = "inconclusive"
        finding.reason = message("gate-arrivals-dropped", dropped=summary.dropped, reason=finding.reason)
    elif finding.status == "pass" and summary.cut_short and not whole:
        finding.status = "inconclusive"
        finding.reason = message("gate-phase-cut-short", how=summary.cut_short, reason=finding.reason)
    return finding
