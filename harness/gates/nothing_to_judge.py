"""Why a gate of a run has nothing to judge: no such phase, no figure, no baseline."""

from __future__ import annotations

import shlex

from harness.analysis.checks import check_samples
from harness.analysis.series import Counter, PhaseSeries, Quotient, interval_of, phase_series
from harness.analysis.traces import phase_traces
from harness.messages import Message, Option, alternatives, message
from harness.metrics.named import name_in
from harness.metrics.series import SeriesFigure
from harness.metrics.target import GROWTH_NEEDS_S, MemoryGrowth
from harness.plan.hosts import host_of, is_loopback
from harness.plan.model.run import Gate
from harness.recording.recording import Recording
from harness.recording.run import PhaseRecord, RunRecording


def why_no_phase(phase: str, planned: list[str]) -> Message:
    """Why nothing of the phase was recorded."""
    if phase in planned:
        return message("gate-phase-not-begun", phase=phase)
    return message("gate-phase-not-planned", phase=phase, known=alternatives(phase, planned))


def why_no_figure(gate: Gate, run: RunRecording, record: PhaseRecord) -> Message:
    """Why the phase has no figure of the gate's metric."""
    phase, metric = record.plan.name, gate.comparison.metric
    needs = gate.comparison.measures.needs
    if needs == "requests" and gate.comparison.during is not None:
        return message("gate-no-requests-under-fault", fault=gate.comparison.during)
    if gate.comparison.series is not None:
        return _why_no_series(gate.comparison.series, phase_series(record, run), phase)
    if needs == "checks":
        name = name_in(metric)
        known = alternatives(name, check_samples(record, run))
        return message("gate-check-not-made", check=name, phase=phase, known=known)
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
    if needs == "contract":
        is_off = run.plan.contract is None or run.plan.contract.openapi is None
        return message("gate-contract-off" if is_off else "gate-not-checked", metric=metric, phase=phase)
    target = run.plan.target
    if target.kind == "attached" and target.pid is None:
        if target.url and not is_loopback(target.url):
            return message("gate-target-elsewhere", metric=metric, host=host_of(target.url))
        return message("gate-target-pid-unknown", metric=metric, option=Option("pid"))
    if isinstance(gate.comparison.measures.statistic, MemoryGrowth) and record.length_s < GROWTH_NEEDS_S:
        return message(
            "gate-phase-too-short", metric=metric, phase=phase, length_s=record.length_s, needed=GROWTH_NEEDS_S
        )
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


def no_baseline(recording: Recording) -> Message:
    """Why a gate cannot compare with a baseline."""
    return recording.no_baseline or message("baseline-missing", run=shlex.quote(str(recording.folder.path)))
