"""Finishes a run or bench: compares, judges, writes reports, stores it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from harness.analysis.measurement import measure
from harness.control.artifacts import ArtifactLocation, upload
from harness.control.past_runs import Figure, stepped_figures, write_past_runs
from harness.control.run_lookup import has_store
from harness.errors import HarnessError
from harness.explain import explained
from harness.gates.escalation import row_of_inconclusive
from harness.gates.judge import Gates, judge
from harness.messages import Message, message
from harness.plan.bench import BenchGate, BenchPlan
from harness.plan.model.run import Gate, RunPlan
from harness.record.environment import Environment
from harness.record.run_folder import RunFolder, read_model, require_writable, write_json, write_text
from harness.record.suite import write_history
from harness.record.summary import Summary
from harness.recording import BenchRecording, RunRecording, open_recording
from harness.recording.streams import STREAMS
from harness.report import report_files, write_reports
from harness.store import RunEntry, Store, open_store
from harness.store.address import VARIABLE

_HISTORY = 50
"""How many benches before this one the report shows."""


def conclude(
    folder: RunFolder,
    plan: RunPlan | BenchPlan,
    environment: Environment,
    store: Store,
    warnings: Sequence[Message] = (),
) -> Summary:
    """Judge a run that has just ended against the store's baseline, if there is one; write its reports; store it.

    If the store fails, the run is still judged and reported; the result gets a warning.
    """
    warnings = [*warnings]
    recording = open_recording(folder)
    if store.is_gone:
        warnings.append(message("store-deleted", store=store.shown))
        with suppress(HarnessError):  # which storing the run reports
            open_store(None, folder.path.parent).close()
    try:
        # A run that began later may have ended first.
        started_at = datetime.fromisoformat(recording.started_at)
        baseline = store.baseline_for(*plan.key, environment.fingerprint, before=started_at)
        if baseline is not None:
            write_json(folder.comparison, baseline.model_dump(by_alias=True))
    except HarnessError as error:
        warnings.append(message("baseline-unreadable", error=error.message))
    if isinstance(plan, BenchPlan):
        warnings += _write_history(folder, plan, environment, store)
    recording.write_tables()
    try:
        write_past_runs(recording, stepped_figures(plan.gates), environment, store)
    except HarnessError as error:
        warnings.append(message("history-unreadable", error=error.message))
    summary = explained(recording, judge(recording))
    warnings += row_of_inconclusive(summary, recording.baseline)
    summary = write_results(folder, summary, warnings=warnings, recording=recording)
    try:
        entry = RunEntry(
            summary, environment.fingerprint, folder.path, commit=environment.commit, measurement=measure(recording)
        )
        store.record_run(entry)
    except HarnessError as error:
        warning = message("run-not-stored", store=store.shown, error=error.message)
        summary = write_results(folder, summary, warnings=[warning], recording=recording)
    return summary


def _write_history(folder: RunFolder, plan: BenchPlan, environment: Environment, store: Store) -> list[Message]:
    """Write the benches before this one into its folder, from which alone reports are drawn; returns warnings."""
    try:
        write_history(folder.history, store.benchmark_history(plan.suite, environment.fingerprint, most=_HISTORY))
    except HarnessError as error:
        return [message("history-unreadable", error=error.message)]
    return []


def copy_run(folder: RunFolder, summary: Summary, to: ArtifactLocation) -> Summary:
    """Copy a judged run's folder. If that fails, or is interrupted, the result gets a warning: the run is complete."""
    try:
        upload(folder, to)
    except (HarnessError, KeyboardInterrupt) as error:
        warning = message(
            "run-not-copied",
            location=str(to),
            reason=error.message if isinstance(error, HarnessError) else "interrupted",
        )
        return write_results(folder, summary, warnings=[warning])
    return summary


def judged(folder: RunFolder) -> Summary:
    """The result of a run or a bench under its own gates. Writes nothing."""
    recording = open_recording(folder)
    return explained(recording, judge(recording))


def judge_again(folder: RunFolder, gates: Gates | None = None) -> Summary:
    """Judge a run or a bench again, under its own gates (None) or others of its kind, and write its results.

    If it had no baseline at its end, gates are compared with the one that the store has now, else with that one; a
    warning says so where the store has another by now. A run that was killed before it was judged gets its tables, too.
    """
    require_writable(folder)
    recording = open_recording(folder)
    if not folder.summary.exists():
        recording.write_tables()
    no_baseline, warnings = look_up_baseline(recording, gates)
    warnings += _look_up_past_runs(recording, stepped_figures(recording.plan.gates if gates is None else gates))
    recording = replace(recording, no_baseline=no_baseline)
    summary = explained(recording, judge(recording, gates=gates))
    if gates is None:  # what other gates would have made of the runs before is not known
        warnings += row_of_inconclusive(summary, recording.baseline)
    return write_results(folder, summary, warnings=warnings, recording=recording)


def look_up_baseline(
    recording: RunRecording | BenchRecording, gates: Gates | None
) -> tuple[Message | None, list[Message]]:
    """Look the baseline of a run up again, if one of ``gates`` (None: its own) reads one.

    A run that had none at its end gets the store's, without itself. Returned are the reason if it gets none, where
    there is more to say than that none was set, and a warning if the store's has other runs than the run's own by now.
    """
    folder, (scenario, profile), kept = recording.folder, recording.plan.key, recording.baseline
    if not any(map(_reads_a_baseline, recording.plan.gates if gates is None else gates)):
        return None, []
    if not kept and not folder.environment.exists():
        return None, []
    reports = folder.path.parent
    if not has_store(reports):
        return None if kept else message("baseline-no-store", folder=reports, variable=VARIABLE), []
    try:
        fingerprint = kept.fingerprint if kept else read_model(folder.environment, Environment).fingerprint
        with open_store(None, reports) as store:
            # A window has only runs before it.
            started_at = datetime.fromisoformat(recording.started_at)
            found = store.baseline_for(scenario, profile, fingerprint, before=started_at)
            baselines = store.list_baselines(scenario)
    except HarnessError as error:  # to judge it again takes only what the run was compared with
        return None if kept else message("baseline-not-read", where=error.where, error=error.message), []
    runs = [run for run in found.runs if run.run_id != recording.run_id] if found else []
    if kept:
        then, now = ([run.run_id for run in side] for side in (kept.runs, runs))
        changed = found is not None and {*then} != {*now}
        return None, [message("baseline-changed-since", then=then, now=now)] if changed else []
    if found is None:
        others = "; ".join(f"{entry.profile} · environment {entry.fingerprint}" for entry in baselines)
        place = {"scenario": scenario, "profile": profile, "fingerprint": fingerprint}
        run = shlex.quote(str(folder.path))
        return message("baseline-of-others-only", **place, others=others, run=run) if others else None, []
    if not runs:
        return message("baseline-is-this-run"), []
    write_json(folder.comparison, found.model_copy(update={"runs": runs}).model_dump(by_alias=True))
    return None, []


def _look_up_past_runs(recording: RunRecording | BenchRecording, wanted: set[Figure]) -> list[Message]:
    """Look up what gates on steps read, unless the run's own end has left it; returns warnings."""
    known = {(one.endpoint, one.metric) for one in recording.past_runs.series} if recording.past_runs else set()
    reports = recording.folder.path.parent
    if wanted <= known or recording.environment is None or not has_store(reports):
        return []
    try:
        with open_store(None, reports) as store:
            write_past_runs(recording, wanted | known, recording.environment, store)
    except HarnessError as error:
        return [message("history-unreadable", error=error.message)]
    return []


def _reads_a_baseline(gate: Gate | BenchGate) -> bool:
    return gate.baseline if isinstance(gate, BenchGate) else gate.comparison.baseline and not gate.comparison.step


def draw_again(folder: RunFolder) -> None:
    """Write the reports again; a run that was killed before it was judged is judged first."""
    require_writable(folder)
    if folder.summary.exists():
        write_reports(folder)
    else:
        judge_again(folder)


def write_results(
    folder: RunFolder,
    summary: Summary,
    *,
    warnings: Sequence[Message] = (),
    recording: RunRecording | BenchRecording | None = None,
) -> Summary:
    """Write ``summary.json`` and the reports drawn from it; the summary with its warnings and artifacts."""
    result = summary.warned(*warnings).model_copy(update={"artifacts": _artifacts(folder)})
    write_text(folder.summary, result.to_json())
    write_reports(folder, recording)
    return result


def _artifacts(folder: RunFolder) -> dict[str, str]:
    """The files that ``summary.json`` names; the reports are about to be written."""
    drawn = {name: folder.path / file for name, file in report_files().items()} | {"summary": folder.summary}
    recorded = {"plan": folder.plan, "environment": folder.environment}
    for stream in STREAMS:
        recorded |= {name: folder.path / file for name, file in stream.artifacts.items()}
    logs = {"harness": folder.log, **folder.target_logs}
    recorded |= {f"{name.replace('-', '_')}_log": path for name, path in logs.items()}
    there = drawn | {name: path for name, path in recorded.items() if path.exists()}
    return {name: path.name for name, path in there.items()}
