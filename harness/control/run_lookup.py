"""Finds the run folder and the store that a command means; fetches runs that are kept elsewhere."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.control import artifacts
from harness.errors import HarnessError
from harness.messages import Option, alternatives
from harness.record.run_folder import RunFolder, find_run, is_running

if TYPE_CHECKING:
    from harness.store import ListedRun, Store


def find_or_fetch(run: str, out: Path) -> RunFolder:
    """The run folder that RUN names: a path, ``latest``, or the id of a run in ``out`` or of a copy.

    A copy (``HARNESS_ARTIFACTS``) is fetched into ``out``. Raises :class:`HarnessError` if there is neither, or the run
    has not ended: it would be judged as one that was killed.
    """
    folder = _found_or_fetched(run, out)
    if is_running(folder, in_doubt=False):
        raise HarnessError("run-not-ended", where=folder.run_id)
    return folder


def _found_or_fetched(run: str, out: Path) -> RunFolder:
    try:
        return find_run(run, out)
    except HarnessError:
        if run == "latest" or Path(run).exists() or (out / run).exists() or not artifacts.is_run_id(run):
            raise
    location = artifacts.artifact_location()
    if location is None:
        near = difflib.get_close_matches(run, [path.parent.name for path in out.glob("[!.]*/plan.json")], n=1)
        if near:
            raise HarnessError("run-misspelled", where=run, folder=out, near=near[0])
        raise HarnessError("run-not-found", where=run, folder=out, variable=artifacts.VARIABLE)
    folder = artifacts.download(run, location, out)
    if folder is None:
        raise HarnessError("run-not-found-in-artifacts", where=run, folder=out, location=location)
    return folder


def has_store(out: Path) -> bool:
    """Whether there is a store to read, without making one."""
    from harness.store.address import FILE_NAME, VARIABLE

    return bool(os.environ.get(VARIABLE)) or (out / FILE_NAME).exists()


def stored_runs(store: Store, scenario: str, most: int | None = None) -> list[ListedRun]:
    """The stored runs of a scenario, at most the ``most`` latest, the latest first.

    Raises :class:`HarnessError` if there is none.
    """
    runs = store.list_runs(scenario, most=most)
    if not runs:
        known = alternatives(scenario, store.scenarios())
        raise HarnessError("scenario-not-stored", where=store.shown, scenario=scenario, alternatives=known)
    return runs


def existing_store(out: Path) -> Store:
    """The store, for commands that read it only: they do not create the folder."""
    # Only here: `harness report` needs no SQLAlchemy, which takes 0.2 s to import.
    from harness.store import open_store
    from harness.store.address import VARIABLE

    if not os.environ.get(VARIABLE) and not out.is_dir():
        raise HarnessError("out-not-found", where=Option("out", out))
    return open_store(None, out)
