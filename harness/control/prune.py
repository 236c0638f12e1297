"""Removes old runs: their folders on this machine, and their rows in the store.

A folder is renamed (``.RUN-ID.pruned``) before it is removed: if the removal is cut off, what is left is never taken
for a run, and the next call removes it.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from harness.errors import HarnessError
from harness.plan.bench import BenchPlan
from harness.plan.model.run import RunPlan
from harness.record.run_folder import RunFolder, is_running, read_model, started_by_id
from harness.record.summary import Summary
from harness.store import ListedRun, Store

_PRUNED = ".pruned"
_HELD = ("pass", "inconclusive")


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run that is known from its folder, from the store, or from both."""

    run_id: str
    scenario: str
    profile: str
    started_at: datetime
    verdict: str | None
    """None if the run never began, or was killed before it was judged."""
    folders: tuple[Path, ...] = ()
    """Its folders on this machine; several if somebody copied it. All are kept or all are removed."""
    stored: bool = False
    """Whether the store has it."""
    begun: bool = True
    """Whether it recorded anything; its target may never have been ready."""

    @property
    def failed(self) -> bool:
        """Whether it did not hold: failed, broken, or killed."""
        return self.verdict not in _HELD


@dataclass
class Pruned:
    """The result: the runs removed, how many were kept and why, and the errors on the way."""

    removed: list[KnownRun] = field(default_factory=list)
    kept: int = 0
    baselines: int = 0
    """How many of the kept runs would have been removed, but a baseline needs them."""
    running: int = 0
    """How many runs are still running."""
    errors: list[HarnessError] = field(default_factory=list)


def prune(
    out: Path,
    store: Store,
    *,
    keep: int,
    keep_failed: timedelta = timedelta(0),
    dry_run: bool = False,
    on_removed: Callable[[KnownRun], None] = lambda _: None,
) -> Pruned:
    """Remove all runs in ``out`` and in ``store`` but the latest ``keep`` of each scenario and profile.

    Failed runs younger than ``keep_failed`` are kept, too. Runs of a baseline, running runs and folders that cannot be
    read are never removed. A run that cannot be removed stays in the store for the next call, and the others are
    removed all the same. ``on_removed`` is called for each.

    The figures of runs that a history shows stay in the store when their folders go.
    """
    result = Pruned()
    if not dry_run:
        for path in sorted(out.glob(f".*{_PRUNED}")):  # left by a call that was cut off
            if _is_folder(path):
                _try(result, partial(_remove_tree, path))
    runs = _prunable(out, store, result)
    histories = store.in_a_history()
    for run in _surplus(runs, keep, datetime.now(UTC) - keep_failed):
        if run.run_id in histories:
            run = replace(run, stored=False)
            if not run.folders:
                continue
        if store.is_of_a_baseline(run.run_id):
            result.baselines += 1
        elif dry_run or _try(result, partial(_remove, run, store)):
            result.removed.append(run)
            on_removed(run)
    result.kept = len(runs) - len(result.removed)
    return result


def _surplus(runs: Iterable[KnownRun], keep: int, failed_since: datetime) -> list[KnownRun]:
    """Those of ``runs`` beyond the latest ``keep`` of each kind, oldest first, without what failed since then."""
    alike: dict[tuple[str, str], list[KnownRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True):
        alike[run.scenario, run.profile].append(run)
    beyond = [run for group in alike.values() for run in group[keep:]]
    removable = [run for run in beyond if not (run.failed and run.started_at > failed_since)]
    return sorted(removable, key=lambda run: (run.started_at, run.run_id))


def _try(result: Pruned, step: Callable[[], None]) -> bool:
    try:
        step()
    except HarnessError as error:
        result.errors.append(error)
        return False
    return True


def _prunable(out: Path, store: Store, result: Pruned) -> list[KnownRun]:
    """Every run that is not running: those in the store, and those whose folders are in ``out``."""
    known = {run.run_id: _from_store(run) for run in store.list_runs()}
    running = {run.run_id for run in known.values() if any(is_running(RunFolder(folder)) for folder in run.folders)}
    for plan in sorted(out.glob("*/plan.json")):
        folder = RunFolder(plan.parent)
        if folder.path.is_symlink() or folder.run_id.startswith("."):
            continue  # another user's folder, or a copy that is being fetched
        if is_running(folder):
            running.add(folder.run_id)
            continue
        try:
            run = known.get(folder.run_id) or _from_folder(folder)
        except HarnessError as error:
            result.errors.append(error)
            continue
        run = known.setdefault(run.run_id, run)  # a renamed or copied folder belongs to the run it came from
        if folder.path.resolve() not in {other.resolve() for other in run.folders}:
            known[run.run_id] = replace(run, folders=(*run.folders, folder.path))
    result.running = len(running)
    return [run for run in known.values() if run.run_id not in running]


def _from_store(run: ListedRun) -> KnownRun:
    here = run.folder.name == run.run_id and (_is_folder(run.folder) or _is_folder(_hidden(run.folder)))
    folders = (run.folder,) if here else ()
    # Without any time it counts as new, and is kept.
    started_at = run.started_at or started_by_id(run.run_id) or datetime.now(UTC)
    return KnownRun(run.run_id, run.scenario, run.profile, started_at, run.verdict, folders, stored=True)


def _from_folder(folder: RunFolder) -> KnownRun:
    """The id is the summary's, since a folder may be renamed; a run that was not judged has no summary."""
    plan = read_model(folder.plan, BenchPlan) if folder.is_bench else read_model(folder.plan, RunPlan)
    summary = read_model(folder.summary, Summary) if folder.summary.exists() else None
    run_id, verdict = (summary.run_id, summary.verdict) if summary else (folder.run_id, None)
    started_at = started_by_id(run_id) or folder.started_at
    return KnownRun(run_id, *plan.key, started_at, verdict, (folder.path,), begun=folder.has_begun)


def _remove(run: KnownRun, store: Store) -> None:
    for folder in run.folders:
        hidden = _hidden(folder)
        _remove_tree(hidden)
        try:
            with suppress(FileNotFoundError):  # another call removes it, too
                folder.rename(hidden)
        except OSError as error:
            raise _not_removable(folder, error) from error
        _remove_tree(hidden)
    if run.stored:
        store.forget_run(run.run_id)


def _remove_tree(path: Path) -> None:
    try:
        while path.exists():  # another call may remove it at the same time
            with suppress(FileNotFoundError):
                shutil.rmtree(path)
    except OSError as error:
        raise _not_removable(path, error) from error


def _not_removable(path: Path, error: OSError) -> HarnessError:
    return HarnessError("prune-not-removable", where=str(error.filename or path), reason=error.strerror or str(error))


def _is_folder(path: Path) -> bool:
    """Whether it is a folder and not a link. A path that this user may not read counts as one of another machine."""
    try:
        return path.is_dir() and not path.is_symlink()
    except OSError:
        return False


def _hidden(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{_PRUNED}")
