"""Removing old runs: their copies, their folders and their rows of the store, in this order.

The row goes last, since it alone tells where a copy is: cut off anywhere, the next call goes on where this one ended.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import HarnessError
from harness.plan.bench import PROFILE as BENCH
from harness.plan.bench import BenchPlan
from harness.plan.model import RunPlan
from harness.record.run_folder import RunFolder, read_model
from harness.record.running import is_running
from harness.record.summary import Summary
from harness.store import Store, StoredRun
from harness.store.artifacts import remove
from harness.store.retention import KnownRun, Policy, surplus

_RUN_TIME = "%Y%m%dT%H%M%SZ"


@dataclass
class Pruned:
    """What was done: the runs removed, those that stay, and what went wrong on the way."""

    removed: list[KnownRun] = field(default_factory=list)
    kept: int = 0
    baselines: int = 0
    """Of the runs that would have gone, how many stay as part of a baseline."""
    running: int = 0
    """How many runs are going on."""
    faults: list[HarnessError] = field(default_factory=list)


def prune(
    out: Path,
    store: Store,
    policy: Policy,
    *,
    dry_run: bool = False,
    now: datetime | None = None,
    told: Callable[[KnownRun], None] = lambda _: None,
) -> Pruned:
    """Remove the runs in ``out`` and in ``store`` that ``policy`` does not keep; ``told`` of each when it is gone.

    A run of a baseline is never removed, nor one that is going on, nor a folder that cannot be read. A run that
    cannot be removed stays in the store, for the next time, and the others are removed all the same. With ``dry_run``
    nothing is removed.
    """
    done = Pruned()
    known = _known(out, store, done)
    for run in surplus(known, policy, now or datetime.now(UTC)):
        try:
            if store.is_of_a_baseline(run.run_id):
                done.baselines += 1
                continue
            if not dry_run:
                _remove(run, store)
        except HarnessError as fault:
            done.faults.append(fault)
            continue
        done.removed.append(run)
        told(run)
    done.kept = len(known) - len(done.removed)
    return done


def _known(out: Path, store: Store, done: Pruned) -> list[KnownRun]:
    """Each run once: those of the store, and those whose folders are in ``out``."""
    stored = {run.run_id: _of_store(run) for run in store.stored_runs()}
    runs: dict[str, KnownRun] = dict(stored)
    for plan in sorted(out.glob("*/plan.json")):
        folder = RunFolder(plan.parent)
        if folder.path.is_symlink() or folder.run_id.startswith("."):
            continue  # somebody else's folder, which others may use; a copy that is being fetched
        if is_running(folder):
            done.running += 1
            runs.pop(folder.run_id, None)
        elif folder.run_id in stored:
            runs[folder.run_id] = replace(stored[folder.run_id], folder=folder.path)
        else:
            try:
                runs[folder.run_id] = _of_folder(folder)
            except HarnessError as fault:
                done.faults.append(fault)
    return list(runs.values())


def _of_store(run: StoredRun) -> KnownRun:
    here = run.folder.name == run.run_id and (run.folder / "plan.json").is_file() and not run.folder.is_symlink()
    return KnownRun(
        run_id=run.run_id,
        scenario=run.scenario,
        profile=run.profile,
        started_at=run.started_at,
        verdict=run.verdict,
        folder=run.folder if here else None,
        artifact=run.artifact,
        stored=True,
    )


def _of_folder(folder: RunFolder) -> KnownRun:
    if folder.is_bench:
        scenario, profile = read_model(folder.plan, BenchPlan).suite, BENCH
    else:
        plan = read_model(folder.plan, RunPlan)
        scenario, profile = plan.scenario.name, plan.profile
    verdict = read_model(folder.summary, Summary).verdict if folder.summary.exists() else None
    return KnownRun(folder.run_id, scenario, profile, _started(folder), verdict, folder.path)


def _started(folder: RunFolder) -> datetime:
    """As the run's id says; a folder that somebody has renamed is as old as its plan."""
    try:
        return datetime.strptime(folder.run_id.partition("-")[0], _RUN_TIME).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(folder.plan.stat().st_mtime, UTC)


def _remove(run: KnownRun, store: Store) -> None:
    if run.artifact is not None:
        remove(run.artifact, run.run_id)
    if run.folder is not None:
        try:
            while run.folder.exists():  # another prune may be at it, too; what it leaves is removed here
                with suppress(FileNotFoundError):
                    shutil.rmtree(run.folder)
        except OSError as fault:
            raise HarnessError(
                f"the run folder cannot be removed: {fault.strerror or fault}",
                where=str(fault.filename or run.folder),
                hint="Whoever made it can remove it, then call again.",
            ) from fault
    if run.stored:
        store.forget_run(run.run_id)
