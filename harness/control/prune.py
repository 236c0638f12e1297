"""Removing old runs: their copies, their folders and their rows of the store, in this order.

The row goes after the copy, since it alone tells where that is (only the copy's receipt goes later), and a
folder is renamed (``.RUN-ID.pruned``) before it goes: cut off anywhere, the next call goes on where this one ended, and
what is left of a run is never taken for one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import HarnessError
from harness.plan.plan_file import read_plan
from harness.record.run_folder import RunFolder, read_model, started_by_id
from harness.record.running import is_running
from harness.record.summary import Summary
from harness.store import Store, StoredRun
from harness.store.artifacts import forget, is_at, remove
from harness.store.retention import KnownRun, Policy, surplus

_PRUNED = ".pruned"


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
    gone: str | None = None,
    dry_run: bool = False,
    told: Callable[[KnownRun], None] = lambda _: None,
) -> Pruned:
    """Remove the runs in ``out`` and in ``store`` that ``policy`` does not keep; ``told`` of each when it is gone.

    A run of a baseline is never removed, nor one that is going on, nor a folder that cannot be read. A run that
    cannot be removed stays in the store, for the next time, and the others are removed all the same. Copies at the
    place ``gone`` that cannot be removed are taken for lost, and keep no run. With ``dry_run`` nothing is removed.
    """
    done = Pruned()
    if not dry_run:
        _sweep(out, done)
    known = _known(out, store, done)
    for run in surplus(known, policy, datetime.now(UTC)):
        try:
            if store.is_of_a_baseline(run.run_id):
                done.baselines += 1
                continue
            if not dry_run:
                _remove(run, store, gone)
        except HarnessError as fault:
            done.faults.append(fault)
            continue
        done.removed.append(run)
        told(run)
    done.kept = len(known) - len(done.removed)
    return done


def _sweep(out: Path, done: Pruned) -> None:
    """Remove what an earlier call was cut off from removing."""
    for path in sorted(out.glob(f".*{_PRUNED}")):
        if _is_folder(path):
            try:
                with _told_as_ours(path):
                    _remove_tree(path)
            except HarnessError as fault:
                done.faults.append(fault)


def _known(out: Path, store: Store, done: Pruned) -> list[KnownRun]:
    """Each run that is not going on: those of the store, and those whose folders are in ``out``."""
    known = {run.run_id: _of_store(run) for run in store.stored_runs()}
    running = {run.run_id for run in known.values() if any(is_running(RunFolder(folder)) for folder in run.folders)}
    for plan in sorted(out.glob("*/plan.json")):
        folder = RunFolder(plan.parent)
        if folder.path.is_symlink() or folder.run_id.startswith("."):
            continue  # somebody else's folder, which others may use; a copy that is being fetched
        if is_running(folder):
            running.add(folder.run_id)
            continue
        run = known.get(folder.run_id)
        if run is None:
            try:
                run = _of_folder(folder)
            except HarnessError as fault:
                done.faults.append(fault)
                continue
            run = known.setdefault(run.run_id, run)  # else its folder has been renamed, or copied
        if not any(_is_same(folder.path, other) for other in run.folders):
            known[run.run_id] = replace(run, folders=(*run.folders, folder.path))
    done.running = len(running)
    return [run for run in known.values() if run.run_id not in running]


def _of_store(run: StoredRun) -> KnownRun:
    # Also what a call that was cut off has left of its folder.
    here = run.folder.name == run.run_id and (_is_folder(run.folder) or _is_folder(_hidden(run.folder)))
    return KnownRun(
        run_id=run.run_id,
        scenario=run.scenario,
        profile=run.profile,
        started_at=run.started_at,
        verdict=run.verdict,
        folders=(run.folder,) if here else (),
        artifact=run.artifact,
        stored=True,
    )


def _of_folder(folder: RunFolder) -> KnownRun:
    """Its id is its summary's, for a folder may be renamed; a run that was killed has none."""
    scenario, profile = read_plan(folder).key
    summary = read_model(folder.summary, Summary) if folder.summary.exists() else None
    run_id, verdict = (summary.run_id, summary.verdict) if summary else (folder.run_id, None)
    return KnownRun(run_id, scenario, profile, started_by_id(run_id) or folder.started_at, verdict, (folder.path,))


def _remove(run: KnownRun, store: Store, gone: str | None) -> None:
    copy = run.artifact
    if copy is not None:
        try:
            remove(copy, run.run_id)
        except HarnessError:
            lost = gone is not None and is_at(copy, gone)
            if not lost and store.artifact_of(run.run_id) is not None:  # else another prune has just ended with it
                raise
            copy = None
    for folder in run.folders:
        _remove_folder(folder)
    if run.stored:
        store.forget_run(run.run_id)
    if copy is not None:
        forget(copy)


def _remove_folder(folder: Path) -> None:
    """Remove it, and what an earlier call has left of it."""
    hidden = _hidden(folder)
    with _told_as_ours(folder):
        _remove_tree(hidden)
        with suppress(FileNotFoundError):  # another prune is at it, too
            folder.rename(hidden)
        _remove_tree(hidden)


@contextmanager
def _told_as_ours(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise HarnessError(
            f"the run folder cannot be removed: {fault.strerror or fault}",
            where=str(fault.filename or folder),
            hint="Whoever made it can remove it, then call again.",
        ) from fault


def _is_folder(path: Path) -> bool:
    """Whether it is one, and no link. One that this user may not even look at is as one of another machine."""
    try:
        return path.is_dir() and not path.is_symlink()
    except OSError:
        return False


def _is_same(one: Path, other: Path) -> bool:
    return one.name == other.name and one.resolve() == other.resolve()


def _hidden(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{_PRUNED}")


def _remove_tree(path: Path) -> None:
    while path.exists():  # what another prune leaves of it is removed here
        with suppress(FileNotFoundError):
            shutil.rmtree(path)
