"""Which run, and which store, is meant: those that are here, and runs whose copies lie elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.record.run_folder import RunFolder, find_run

if TYPE_CHECKING:
    from harness.store import Store


def find(run: str, out: Path) -> RunFolder:
    """The run folder that RUN means: a path, ``latest``, or a run-id: of a folder in ``out``, else of a copy.

    A copy (``HARNESS_ARTIFACTS``) is fetched into ``out``. Raises :class:`HarnessError` where there is none either.
    """
    try:
        return find_run(run, out)
    except HarnessError:
        here = run == "latest" or Path(run).exists() or (out / run).exists()
        fetched = None if here else _fetched(run, out)
        if fetched is None:
            raise
        return fetched


def existing_store(out: Path) -> Store:
    """The store, for commands that only look into it: they make no folder."""
    from harness.store import open_store
    from harness.store.address import VARIABLE

    if not os.environ.get(VARIABLE) and not out.is_dir():
        raise HarnessError(
            "there is no such folder", where=str(out), hint="--out DIR is the folder that run folders are made in."
        )
    return open_store(None, out)


def _fetched(run_id: str, out: Path) -> RunFolder | None:
    from harness.store.artifacts import download, is_run_id, place

    if not is_run_id(run_id):
        return None
    here = place()
    locations = [_noted(run_id, out), here.location(run_id) if here else None]
    for location in dict.fromkeys(filter(None, locations)):
        folder = download(location, out)
        if folder is not None:
            return folder
    return None


def _noted(run_id: str, out: Path) -> str | None:
    from harness.store.address import FILE_NAME, VARIABLE

    if not os.environ.get(VARIABLE) and not (out / FILE_NAME).exists():
        return None
    with existing_store(out) as store:
        return store.artifact_of(run_id)
