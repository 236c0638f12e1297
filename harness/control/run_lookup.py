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
        from harness.store.artifacts import is_run_id

        if run == "latest" or Path(run).exists() or (out / run).exists() or not is_run_id(run):
            raise
    return _fetched(run, out)


def existing_store(out: Path) -> Store:
    """The store, for commands that only look into it: they make no folder."""
    from harness.store import open_store
    from harness.store.address import VARIABLE

    if not os.environ.get(VARIABLE) and not out.is_dir():
        raise HarnessError(
            "there is no such folder", where=str(out), hint="--out DIR is the folder that run folders are made in."
        )
    return open_store(None, out)


def _fetched(run_id: str, out: Path) -> RunFolder:
    """The run by its copy. Where there is none either, the message says where it was looked for.

    What does not answer, store or place, is a fault only where no other has the copy.
    """
    from harness.store import artifacts
    from harness.store.address import FILE_NAME, VARIABLE

    looked = [f"in {out}/"]
    locations: list[str] = []
    faults: list[HarnessError] = []
    if os.environ.get(VARIABLE) or (out / FILE_NAME).exists():
        try:
            with existing_store(out) as store:
                noted = store.artifact_of(run_id)
            looked.append(f"in the store {store.shown}")
            if noted is not None:
                looked[-1] += f", by which its copy is {artifacts.shown(noted)}"
                locations.append(noted)
        except HarnessError as fault:
            faults.append(fault)
    here = artifacts.place()
    if here is not None:
        looked.append(f"among the copies in {here.shown}")
        # First: the same place may have another user's name in the store, and no password.
        locations.insert(0, here.location(run_id))
    for location in dict.fromkeys(locations):
        try:
            folder = artifacts.download(location, out)
        except HarnessError as fault:
            faults.append(fault)
            continue
        if folder is not None:
            return folder
    if faults:
        raise faults[0]
    more = "" if here else f" ({artifacts.VARIABLE} names no place of copies)"
    raise HarnessError("there is no such run folder", where=run_id, hint=f"Looked {'; '.join(looked)}{more}.")
