"""The summary of a run under load, and what its reader should be warned of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis.attribution import attribution_of
from harness.analysis.changes import changes_of
from harness.analysis.checks import checks_of
from harness.analysis.contamination import contamination_of, most_of_others
from harness.analysis.contract import contract_of, contract_warnings
from harness.analysis.duet import duet_changes, duet_of
from harness.analysis.fault_figures import fault_reports
from harness.analysis.fault_warnings import fault_warnings
from harness.analysis.figures import failure_kinds, phase_summary, totals_of
from harness.analysis.generator import GeneratorState, waiting_for_users
from harness.analysis.generator_summary import clock_warning, dropped_of, generator_of, worst_clocks
from harness.analysis.leaks import leaks_of
from harness.analysis.measurement import figures_of
from harness.analysis.process_ends import ends_of
from harness.analysis.samples import seconds_in
from harness.analysis.statements import statements_of
from harness.analysis.surroundings import surroundings_warnings
from harness.analysis.traces import trace_notes
from harness.gates.contract import contract_results
from harness.gates.invariants import invariant_results, verification_of
from harness.gates.run_gates import run_results
from harness.gates.verdict import decide
from harness.messages import Message, message
from harness.metrics.formatting import Amount
from harness.plan.duet import of_build
from harness.plan.model.phase import Phase
from harness.plan.model.run import Gate
from harness.plan.phases import phase_kind
from harness.record.changes import BaselineRef
from harness.record.fault_report import FaultedSeconds
from harness.record.gate_result import GateResult
from harness.record.notice import Notice
from harness.record.phase_summary import Contamination, PhaseSummary
from harness.record.summary import Summary
from harness.recording.run import PhaseRecord, RunRecording

_MANY_FAILURES = 0.01
"""The share of failed requests (0…1) from which on a phase gets a warning."""

_LEAST_NAMED = 0.05
"""Cores of a process that took them. Less would read 0.0."""


def judge_run(run: RunRecording, gates: Sequence[Gate] | None) -> Summary:
    """Judge a run under its plan's gates (None), or under ``gates``."""
    phases = [_phase(run, record) for record in run.phases]
    asked = run.plan.gates if gates is None else gates
    results = [result for gate in asked for result in run_results(gate, run, phases)] + invariant_results(run)
    contract = contract_of(run)
    if run.plan.contract is not None:
        results += contract_results(run.plan.contract, contract, run.folder, asked)
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
            checks=checks_of(run),
            figures=_figures(run),
            generator=generator_of(run.journal, any(phase.generator_limited for phase in phases)),
            faults=fault_reports(run),
            ends=ends_of(run),
            leaks=leaks_of(run),
            suspects=attribution.suspects,
            candidates=attribution.candidates,
            profile_notes=[*map(Notice.of, attribution.notes)],
            failures=failure_kinds(run.journal),
            statements=[entry for record in run.phases for entry in statements_of(run, record)],
            contract=contract,
            baseline=BaselineRef.of(run.baseline),
            changes=duet_changes(run) if run.plan.is_duet else changes_of(run),
            duet=duet_of(run) if run.plan.is_duet else None,
        )
        .decided([*decision.reasons, *_default_gate(asked, results)])
        .warned(*contract_warnings(contract), *_warnings(run, phases, asked))
    )


def _figures(run: RunRecording) -> dict[str, float]:
    found = verification_of(run) if run.plan.scenario.has_verify else None
    return found.figures if found is not None else {}


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
            "faulted": _faulted(run, record),
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
        processes=most_of_others(record, run),
        left_out=found.leaves_enough,
        clean=figures_of(record, run, found.all_but_clean),
    )


def _faulted(run: RunRecording, record: PhaseRecord) -> FaultedSeconds | None:
    found = contamination_of(record, run)
    if not found.not_counted or not phase_kind(record.plan.kind).has_load:
        return None
    return FaultedSeconds(
        seconds=sorted(found.not_counted),
        share=1 - found.all_counted / len(found.counted),
        leaves_enough=found.faults_leave_enough,
        calm=figures_of(record, run, found.not_counted),
    )


def _warnings(run: RunRecording, phases: Sequence[PhaseSummary], gates: Sequence[Gate]) -> list[Message | str]:
    """What a reader of the figures should know, and what could not be sampled."""
    found: list[Message | str | None] = [*fault_warnings(run)]  # first, as there may be something left to undo
    for record, phase in zip(run.phases, phases, strict=True):
        found.append(_generator_warning(phase))
        found.append(_contamination_warning(record, phase))
        for warning in (waiting_for_users(record, run), _unread_failures(record.plan, phase, gates)):
            found.append(warning and of_build(record.variant, warning))
    found += _disturbances(run, phases)
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
    most = [f"{name} {cores:.1f}" for name, cores in found.processes.items() if cores >= _LEAST_NAMED]
    return message(
        "phase-contaminated" if found.left_out else "phase-too-contaminated",
        phase=phase.name,
        contaminated=len(found.seconds),
        seconds=len(seconds_in(record)) - len(phase.faulted.seconds if phase.faulted else ()),
        others=found.others_cores,
        who=message("others-named", most=most) if most else "",
    )


def _disturbances(run: RunRecording, phases: Sequence[PhaseSummary]) -> Iterator[Message]:
    """Faults from which the target did not recover in time, and phases of which faults left too few seconds."""
    for fault in fault_reports(run):
        if fault.recovers_late:
            seen, allowed = Amount(fault.recovery_s or 0.0, "s"), Amount(fault.left_out_s or 0.0, "s")
            code = "fault-recovered-late" if fault.recovered else "fault-not-recovered"
            yield message(code, fault=fault.name, condition=fault.recovery_condition, seen=seen, allowed=allowed)
    for phase in phases:
        if phase.measured and phase.faulted is not None and not phase.faulted.leaves_enough:
            yield message("phase-under-faults", phase=phase.name, faulted=len(phase.faulted.seconds))


def _unread_failures(phase: Phase, summary: PhaseSummary, gates: Sequence[Gate]) -> Message | None:
    """A warning where many requests of a measured or stress phase failed and nothing reads its ``error_rate``.

    It is read by a gate, on all endpoints or on one, or by the ``until`` of a stress phase.
    """
    if not phase.measured and not phase_kind(phase.kind).by_steps:
        return None
    share = summary.error_rate
    if summary.faulted is not None:  # failures under a fault are expected
        calm = summary.faulted.calm.get("error_rate")
        share = None if calm is None else calm.value / 100
    if share is None or share <= _MANY_FAILURES or _reads_error_rate(phase, gates):
        return None
    return message("failures-not-gated", share=Amount(100 * share, "%"), phase=phase.name)


def _reads_error_rate(phase: Phase, gates: Sequence[Gate]) -> bool:
    reading = [gate for gate in gates if gate.phase == phase.name or (gate.phase is None and phase.measured)]
    groups = phase.until.any_of if phase.until else ()
    comparisons = [gate.comparison for gate in reading] + [comparison for group in groups for comparison in group]
    return any(comparison.metric == "error_rate" for comparison in comparisons)
