"""Looks up the baseline for a run that is judged again.

A run's baseline is looked up once, when the run has ended. Only a run that had none then may get the one that was set
since.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from harness.errors import HarnessError
from harness.messages import Message, message
from harness.plan.bench import BenchGate
from harness.plan.model import Gate
from harness.plan.plan_file import read_plan
from harness.record.environment import Environment
from harness.record.measurement import Baseline
from harness.record.run_folder import RunFolder, read_model, write_json
from harness.record.summary import Summary
from harness.store import Store, open_store
from harness.store.address import FILE_NAME, VARIABLE


def attach_later_baseline(folder: RunFolder, gates: Sequence[Gate | BenchGate] | None) -> Message | None:
    """Put the store's baseline into ``folder`` if it has none and one of ``gates`` (None: its own) reads one.

    A run is not compared with itself. Returns why there is no baseline if there is more to say than that none was set.
    """
    if folder.comparison.exists() or not folder.environment.exists():
        return None
    plan = read_plan(folder)
    if not any(_reads_a_baseline(gate) for gate in (plan.gates if gates is None else gates)):
        return None
    reports = folder.path.parent
    if not os.environ.get(VARIABLE) and not (reports / FILE_NAME).exists():
        return message("baseline-no-store", folder=reports, variable=VARIABLE)
    try:
        with open_store(None, reports) as store:
            return _attached(folder, store, *plan.key, read_model(folder.environment, Environment).fingerprint)
    except HarnessError as error:
        return message("baseline-not-read", where=error.where, error=error.message)


def newer_baseline(folder: RunFolder, gates: Sequence[Gate | BenchGate] | None) -> Message | None:
    """A warning that a run is judged by the baseline of its end, if the store's has other runs by now."""
    plan, reports = read_plan(folder), folder.path.parent
    if not folder.comparison.exists() or not any(
        _reads_a_baseline(gate) for gate in (plan.gates if gates is None else gates)
    ):
        return None
    if not os.environ.get(VARIABLE) and not (reports / FILE_NAME).exists():
        return None
    kept = read_model(folder.comparison, Baseline)
    try:
        with open_store(None, reports) as store:
            now = store.baseline_for(*plan.key, kept.fingerprint, before=_started_at(folder))
    except HarnessError:
        return None  # what the run was compared with is all that judging it takes
    before = [run.run_id for run in kept.runs]
    after = [run.run_id for run in now.runs if run.run_id != _run_id(folder)] if now else before
    return message("baseline-changed-since", then=before, now=after) if {*before} != {*after} else None


def _run_id(folder: RunFolder) -> str:
    """The run's ID; its folder may have been renamed."""
    return read_model(folder.summary, Summary).run_id if folder.summary.exists() else folder.run_id


def _started_at(folder: RunFolder) -> datetime:
    """When the run started: a window has only runs before it."""
    if not folder.summary.exists():
        return folder.started_at
    return datetime.fromisoformat(read_model(folder.summary, Summary).started_at)


def _attached(folder: RunFolder, store: Store, scenario: str, profile: str, fingerprint: str) -> Message | None:
    found = store.baseline_for(scenario, profile, fingerprint, before=_started_at(folder))
    if found is None:
        others = [f"{entry.profile} · environment {entry.fingerprint}" for entry in store.list_baselines(scenario)]
        if not others:
            return None
        return message(
            "baseline-of-others-only",
            scenario=scenario,
            profile=profile,
            fingerprint=fingerprint,
            others="; ".join(others),
        )
    runs = [run for run in found.runs if run.run_id != _run_id(folder)]
    if not runs:
        return message("baseline-is-this-run")
    write_json(folder.comparison, found.model_copy(update={"runs": runs}).model_dump(by_alias=True))
    return None


def _reads_a_baseline(gate: Gate | BenchGate) -> bool:
    return gate.baseline if isinstance(gate, BenchGate) else gate.comparison.baseline
