"""The summary of a run under load, and what its reader should be warned of."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.attribution import attribution_of
from harness.analysis.changes import changes_of
from harness.analysis.contamination import contamination_of
from harness.analysis.duet import duet_changes, duet_of
from harness.analysis.figures import failure_kinds, phase_summary, totals_of
from harness.analysis.generator import (
    GeneratorState,
    clock_warning,
    dropped_of,
    generator_of,
    waiting_for_users,
    worst_clocks,
)
from harness.analysis.leaks import leaks_of
from harness.analysis.measurement import figures_of
from harness.analysis.process_ends import ends_of
from harness.analysis.samples import seconds_in
from harness.analysis.statements import statements_of
from harness.analysis.surroundings import surroundings_warnings
from harness.analysis.traces import trace_notes
from harness.errors import HarnessError
from harness.gates.run_gates import run_results
from harness.gates.verdict import decide
from harness.messages import Message, message
from harness.metrics.formatting import Amount
from harness.plan.duet import of_build
from harness.plan.model import Gate, Phase
from harness.plan.phases import phase_kind
from harness.record.notice import Notice
from harness.record.run_folder import RunFolder, read_json
from harness.record.summary import BaselineRef, Contamination, GateResult, GateStatus, PhaseSummary, Summary
from harness.recording.run import PhaseRecord, RunRecording

_MANY_FAILURES = 0.01
"""The share of failed requests (0…1) from which on a phase gets a warning."""


def judge_run(run: RunRecording, gates: Sequence[Gate] | None) -> Summary:
    """Judge a run under its plan's gates (None), or under ``gates``."""
    phases = [_phase(run, record) for record in run.phases]
    asked = run.plan.gates if gates is None else gates
    results = [result for gate in asked for result in run_results(gate, run, phases)]
    if run.plan.scenario.has_verify:
        status, reason = _verify_finding(run.folder)
        results.append(GateResult(require="verify", status=status).because(reason))
    decision = decide(run, phases, results)
    attribution = attribution_of(run)
    return (
        Summary(
            run_id=run.run_id,
            scenario=run.plan.scenario.name,
            profile=run.plan.profile,
            started_at=run.started_at,
            duration_s=run.journal.last_s,
            verdict=decision.verdict,
            exit_code=decision.exit_code,
            totals=totals_of(run.journal),
            phases=phases,
            gates=results,
            generator=generator_of(run.journal, any(phase.generator_limited for phase in phases)),
            ends=ends_of(run),
            leaks=leaks_of(run),
            suspects=attribution.suspects,
            candidates=attribution.candidates,
            profile_notes=[*map(Notice.of, attribution.notes)],
            failures=failure_kinds(run.journal),
            statements=[entry for record in run.phases for entry in statements_of(run, record)],
            baseline=BaselineRef.of(run.baseline),
            changes=duet_changes(run) if run.plan.is_duet else changes_of(run),
            duet=duet_of(run) if run.plan.is_duet else None,
        )
        .decided([*decision.reasons, *_default_gate(asked, results)])
        .warned(*_warnings(run, phases, asked))
    )


def _default_gate(gates: Sequence[Gate], results: Sequence[GateResult]) -> list[Message]:
    """Names the gate that the harness added, and how to state others."""
    return [message("default-gate", require=gate.comparison.source) for gate in gates if gate.default and results]


def _phase(run: RunRecording, record: PhaseRecord) -> PhaseSummary:
    generator = GeneratorState(record, run.journal, contamination_of(record, run).left_out)
    limit = generator.limit()
    strain = None if limit else generator.strain()
    last_open = [other.index for other in run.phases if other.plan.model == "open" and other.plan.segments][-1:]
    return phase_summary(record, run.journal).model_copy(
        update={
            "generator_limited": None if limit is None else str(limit),
            "generator_strained": None if strain is None else str(strain),
            "dropped": dropped_of(run.journal) if [record.index] == last_open else 0,
            "intervals": figures_of(record, run) if phase_kind(record.plan.kind).has_load else {},
            "contamination": _contamination(run, record),
        }
    )


def _contamination(run: RunRecording, record: PhaseRecord) -> Contamination | None:
    found = contamination_of(record, run)
    if not found.count or not phase_kind(record.plan.kind).has_load:
        return None
    return Contamination(
        seconds=found.numbers,
        share=found.share,
        others_cores=found.others_cores,
        left_out=found.leaves_enough,
        clean=figures_of(record, run, clean=True),
    )


def _warnings(run: RunRecording, phases: Sequence[PhaseSummary], gates: Sequence[Gate]) -> list[Message | str]:
    """What a reader of the figures should know, and what could not be sampled."""
    found: list[Message | str | None] = []
    for record, phase in zip(run.phases, phases, strict=True):
        found.append(_generator_warning(phase))
        found.append(_contamination_warning(record, phase))
        for warning in (waiting_for_users(record, run), _unread_failures(record.plan, phase, gates)):
            found.append(warning and of_build(record.variant, warning))
    found += surroundings_warnings(run)
    found.append(clock_warning(worst_clocks(run.journal)))
    found += [
        message("run-event", kind=event.kind, event=event.message)
        for event in run.journal.events
        if event.kind != "limit broke"
    ]
    found += trace_notes(run)
    found += run.profiles.notes
    found += [
        message("profile-missing", path=profile.path)
        for profile in run.profiles.profiles
        if not (run.folder.path / profile.path).is_file()
    ]
    if run.environment is not None:
        found += run.environment.doubts
    return list({str(warning): warning for warning in found if warning is not None}.values())


def _generator_warning(phase: PhaseSummary) -> Message | None:
    if phase.generator_strained:
        return message("phase-generator-strained", phase=phase.name, why=phase.generator_strained)
    if not phase.generator_limited:
        return None
    if phase_kind(phase.kind).by_steps:
        return message("stress-generator-limited", phase=phase.name, why=phase.generator_limited)
    return message("phase-generator-limited", phase=phase.name, why=phase.generator_limited)


def _contamination_warning(record: PhaseRecord, phase: PhaseSummary) -> Message | None:
    found = phase.contamination
    if found is None or not record.plan.measured:
        return None
    return message(
        "phase-contaminated" if found.left_out else "phase-too-contaminated",
        phase=phase.name,
        contaminated=len(found.seconds),
        seconds=len(seconds_in(record)),
        others=found.others_cores,
    )


def _unread_failures(phase: Phase, summary: PhaseSummary, gates: Sequence[Gate]) -> Message | None:
    """A warning where many requests of a measured or stress phase failed and nothing reads its ``error_rate``.

    It is read by a gate, on all endpoints or on one, or by the ``until`` of a stress phase.
    """
    if not phase.measured and not phase_kind(phase.kind).by_steps:
        return None
    if summary.error_rate is None or summary.error_rate <= _MANY_FAILURES or _reads_error_rate(phase, gates):
        return None
    return message("failures-not-gated", share=Amount(100 * summary.error_rate, "%"), phase=phase.name)


def _reads_error_rate(phase: Phase, gates: Sequence[Gate]) -> bool:
    reading = [gate for gate in gates if gate.phase == phase.name or (gate.phase is None and phase.measured)]
    groups = phase.until.any_of if phase.until else ()
    comparisons = [gate.comparison for gate in reading] + [comparison for group in groups for comparison in group]
    return any(comparison.metric == "error_rate" for comparison in comparisons)


def _verify_finding(folder: RunFolder) -> tuple[GateStatus, Message]:
    """What the scenario's ``verify`` found: what must be true of the target after the run, whatever its speed.

    ``verify.json`` holds ``{"status": "pass" | "fail" | "error" | "interrupted", "message": str, "duration_s":
    float}``; ``error`` means that ``verify`` itself raised, so that nothing was checked. Raises :class:`HarnessError`
    where the file is damaged.
    """
    if not folder.verification.exists():
        return "inconclusive", message("invariant-check-not-run")
    found = read_json(folder.verification)
    status = found.get("status") if isinstance(found, dict) else None
    text = str(found.get("message") or "") if isinstance(found, dict) else ""
    match status:
        case "pass" if text:
            return "pass", message("invariants-passed", message=text)
        case "pass":
            return "pass", message("invariants-held")
        case "fail":
            return "fail", message("invariant-broken", message=text)
        case "error":
            return "inconclusive", message("invariant-check-raised", message=text)
        case "interrupted":
            return "inconclusive", message("invariant-check-interrupted")
    raise HarnessError("verify-status-unknown", where=str(folder.verification), status=status)
