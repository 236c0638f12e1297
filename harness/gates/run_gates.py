"""The gates of a run: what each observed in a phase and endpoint, and whether it held."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from harness.analysis.comparability import beside_baseline, why_not_comparable
from harness.analysis.contamination import Contamination, contamination_of
from harness.analysis.duet import paired
from harness.analysis.generator import HELD
from harness.analysis.measurement import endpoints_of, measure
from harness.analysis.run_sets import SURE
from harness.analysis.series import Counter, PhaseSeries, Quotient, interval_of, phase_series
from harness.analysis.traces import phase_traces
from harness.gates.doubt import RunDoubt
from harness.gates.escalation import weighed_with_earlier_nights
from harness.gates.live import failed_beyond_recovery
from harness.gates.requirement import Finding, judge, judge_beside, judged
from harness.gates.steps import judged_by_steps
from harness.messages import Message, Option, alternatives, message
from harness.metrics.series import SeriesFigure
from harness.metrics.statistics import Proportion
from harness.plan.duet import A, B
from harness.plan.gating import reads
from harness.plan.hosts import host_of, is_loopback
from harness.plan.model import Gate
from harness.plan.requirement import Comparison
from harness.record.measurement import ALL, ONLY, EndpointMeasurement, Interval, UndecidedGate
from harness.record.summary import GateResult, PhaseSummary
from harness.recording.recording import Recording
from harness.recording.run import PhaseRecord, RunRecording

_JUDGED = (ONLY, B)
"""In a duet, build B is judged; A is what it is compared with."""


def run_results(gate: Gate, run: RunRecording, summaries: Collection[PhaseSummary]) -> list[GateResult]:
    """What ``gate`` gives: one result for each phase that it reads."""
    phases = [gate.phase] if gate.phase else [phase.name for phase in run.plan.phases if reads(gate, phase)]
    states = {summary.name: summary for summary in summaries if summary.variant in _JUDGED}
    if gate.default:  # nobody asked for requests
        phases = [phase for phase in phases if phase in states and states[phase].requests]
    return [
        _finding(gate, run, phase, states).result(gate.comparison, phase=phase, endpoint=gate.endpoint)
        for phase in phases
    ]


def _finding(gate: Gate, run: RunRecording, phase: str, states: dict[str, PhaseSummary]) -> Finding:
    judged_records = (record for record in run.phases if record.variant in _JUDGED)
    record = next((record for record in judged_records if record.plan.name == phase), None)
    if record is None:
        return Finding("inconclusive", _why_no_phase(phase, [entry.name for entry in run.plan.phases]))
    contamination = contamination_of(record, run)
    clean = contamination.leaves_enough and _disturbed_by_others(gate.comparison)
    endpoints = endpoints_of(record, run, clean=clean)
    measured = endpoints.get(gate.endpoint or ALL)
    if measured is None:
        assert gate.endpoint is not None
        known = alternatives(gate.endpoint, sorted(name for name in endpoints if name != ALL))
        reason = message("gate-unknown-endpoint", endpoint=gate.endpoint, phase=phase, known=known)
        return Finding("inconclusive", reason)
    observed = measured.figures.get(gate.comparison.metric)
    if observed is None and gate.comparison.series is not None:
        observed = interval_of(gate.comparison.series, phase_series(record, run, clean=clean))
    if observed is None:
        return Finding("inconclusive", _why_no_figure(gate, run, record))
    summary = states[phase]
    if gate.default and observed.value == 0:  # a quick run without a failure: no limit to prove, nothing to doubt
        finding = Finding(
            "pass", message("default-gate-without-failure", requests=measured.requests), observed, gate.comparison.value
        )
    else:
        finding = _judged(gate, run, record, measured, observed, summary)
    if run.journal.end_reason == "gate failed" and finding.status != "fail" and not contamination.count:
        # The run was ended for this, so it must be judged by what ended it.
        lost = failed_beyond_recovery(run.plan, run.journal, gate.model_copy(update={"phase": phase}))
        if lost is not None:
            finding.status, finding.reason = "fail", lost
    if run.journal.end_reason == "interrupted" and record is run.phases[-1] and finding.status != "inconclusive":
        # The requests that were cut off count as failed, and the others had no time to fail.
        finding.status, finding.reason = "inconclusive", message("gate-phase-interrupted", reason=finding.reason)
    if gate.comparison.measures.needs == "steps":
        return finding  # it leaves out those in which the generator was the limit
    if finding.slower is None:  # at equal machine speed, others do not matter
        finding = _uncontaminated(finding, gate.comparison, contamination)
    limits = _limited_generator_matters(gate.comparison, record)
    # Nobody asked for more than what the scenario itself chose to do, or what it took to decide a duet's gates.
    whole = (gate.default and run.journal.end_reason == "scenario") or run.journal.end_reason == "decided"
    return _qualified(finding, summary, limits=limits, whole=whole)


def _why_no_figure(gate: Gate, run: RunRecording, record: PhaseRecord) -> Message:
    phase, metric = record.plan.name, gate.comparison.metric
    needs = gate.comparison.measures.needs
    if gate.comparison.series is not None:
        return _why_no_series(gate.comparison.series, phase_series(record, run), phase)
    if needs == "requests" or not len(record.table):
        return message("gate-no-requests", phase=phase)
    if needs == "steps":
        return message("gate-no-capacity", phase=phase, metric=metric)
    if needs == "traces":
        if run.plan.sampling.traces is None:
            return message("gate-traces-off", metric=metric, option=Option("otlp"))
        if phase_traces(run, record):
            return message("gate-not-recorded", metric=metric)
        return message("gate-not-traced", metric=metric, phase=phase)
    target = run.plan.target
    if target.kind == "attached" and target.pid is None:
        if target.url and not is_loopback(target.url):
            return message("gate-target-elsewhere", metric=metric, host=host_of(target.url))
        return message("gate-target-pid-unknown", metric=metric, option=Option("pid"))
    return message("gate-target-not-sampled", metric=metric, phase=phase)


def _why_no_series(figure: SeriesFigure, found: PhaseSeries, phase: str) -> Message:
    for part in figure.parts:
        series = found.find(part.series)
        if series is None:
            known = alternatives(part.series, [name for _, name in found.names()])
            return message("gate-series-missing", series=part.series, phase=phase, known=known)
        if isinstance(series, Quotient) and part.statistic != "rate":
            continue  # there was nothing to divide by
        if interval_of(SeriesFigure(part.series, part.statistic), found) is None:
            code = "gate-series-is-counter" if isinstance(series, Counter) else "gate-series-is-gauge"
            return Message(code, {"series": part.series, "statistic": part.statistic})
    return message("gate-series-divided-by-zero", phase=phase)


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
    if gate.comparison.baseline and run.plan.is_duet:
        return _judged_beside_a(gate, run, record, measured, summary)
    if gate.comparison.step is not None:
        return judged_by_steps(gate.comparison, observed, run, record.plan.name, gate.endpoint or ALL)
    if not gate.comparison.baseline:
        return judged(gate.comparison, observed, [], RunDoubt(gate, run, record, measured, summary, 0))
    if run.baseline is None:
        return Finding("inconclusive", no_baseline(run), observed)
    phase, metric, endpoint = record.plan.name, gate.comparison.metric, gate.endpoint or ALL
    of_phase = measure(run).phase(phase, record.variant)
    beside = beside_baseline(run, of_phase, endpoint, metric) if of_phase else None
    if of_phase is None or beside is None or not beside.earlier:
        unknown = message("baseline-lacks-figure", metric=metric, phase=phase, endpoint=endpoint or "all endpoints")
        return Finding("inconclusive", (of_phase and why_not_comparable(run, of_phase)) or unknown, observed)
    doubt = RunDoubt(gate, run, record, measured, summary, len(beside.earlier))
    rule = partial(judge, calibrated=beside.noise)
    finding = judged(gate.comparison, beside.observed, beside.figures, doubt, rule, beside.slower)
    asked = UndecidedGate(require=gate.comparison.source, phase=phase, endpoint=gate.endpoint)
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
    pair = paired(run, record.plan, gate.endpoint or ALL, metric)
    of_a = measure(run).figure(record.plan.name, gate.endpoint or ALL, metric.name, A)
    # Growth is no matter of turns, and too few requests are traced to compare turn by turn.
    if (metric.unit.is_signed or metric.needs == "traces") and of_a is not None:
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


def no_baseline(recording: Recording) -> Message:
    """Why a gate cannot compare with a baseline."""
    return recording.no_baseline or message("baseline-missing", run=str(recording.folder.path))


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
        seconds=len(contamination.seconds),
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
