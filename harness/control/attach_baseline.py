"""A baseline that was set after a run: put into the run's folder when it is judged again, or told why there is none."""

from __future__ import annotations

import os
from collections.abc import Sequence

from harness.errors import HarnessError
from harness.plan.bench import BenchGate
from harness.plan.model import Gate
from harness.plan.plan_file import read_plan
from harness.record.environment import Environment
from harness.record.run_folder import RunFolder, read_model, write_json
from harness.record.summary import Summary
from harness.store import Store, open_store
from harness.store.address import FILE_NAME, VARIABLE


def fetch_baseline(folder: RunFolder, gates: Sequence[Gate | BenchGate] | None) -> str | None:
    """Put the store's baseline into ``folder``, where it has none and one of ``gates`` (None: its own) reads one.

    A run is not compared with itself. Returns why there is none, where the store tells more than that none was set.
    """
    if folder.comparison.exists() or not folder.environment.exists():
        return None
    plan = read_plan(folder)
    if not any(_reads_a_baseline(gate) for gate in (plan.gates if gates is None else gates)):
        return None
    reports = folder.path.parent
    if not os.environ.get(VARIABLE) and not (reports / FILE_NAME).exists():
        return (
            f"no baseline: there is no store in {reports}, and {VARIABLE} names none; "
            "`harness baseline set <a run you trust>` makes one"
        )
    try:
        with open_store(None, reports) as store:
            return _fetched(folder, store, *plan.key, read_model(folder.environment, Environment).fingerprint)
    except HarnessError as fault:
        return f"no baseline: {fault.where}: {fault.message}" if fault.where else f"no baseline: {fault.message}"


def _fetched(folder: RunFolder, store: Store, scenario: str, profile: str, fingerprint: str) -> str | None:
    found = store.baseline_for(scenario, profile, fingerprint)
    if found is None:
        others = [f"{entry.profile} · environment {entry.fingerprint}" for entry in store.list_baselines(scenario)]
        if not others:
            return None
        return (
            f"no baseline of {scenario} · {profile} · environment {fingerprint}, as this run is, but of "
            f"{'; '.join(others)}: only like is compared with like (`harness baseline set <a run like this one>`)"
        )
    # Its folder may have been renamed.
    run_id = read_model(folder.summary, Summary).run_id if folder.summary.exists() else folder.run_id
    runs = [run for run in found.runs if run.run_id != run_id]
    if not runs:
        return "no baseline but this run itself: the next run of this scenario and profile is compared with it"
    write_json(folder.comparison, found.model_copy(update={"runs": runs}).model_dump(by_alias=True))
    return None


def _reads_a_baseline(gate: Gate | BenchGate) -> bool:
    return gate.baseline if isinstance(gate, BenchGate) else gate.comparison.baseline
