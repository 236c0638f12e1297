"""Run folders kept where a team finds them: a directory, or any fsspec URL, named by ``HARNESS_ARTIFACTS``.

A copy is a folder of the run's id below that place. ``plan.json``, without which a folder is no run folder, is copied
last: a copy that was cut off is never taken for a run.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from harness.errors import HarnessError
from harness.record.run_folder import RunFolder
from harness.record.running import LOCK

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

VARIABLE = "HARNESS_ARTIFACTS"

_PROTOCOL = re.compile(r"[a-z][a-z0-9+.-]*(?=://|::)", re.IGNORECASE)
_PASSWORD = re.compile(r"(://[^/@:]*):([^/]*)@")
_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FORMS = "Give a directory, or a URL such as s3://bucket/runs or sftp://user@host/runs"


@dataclass(frozen=True, slots=True)
class Place:
    """Where copies of run folders are kept: ``url`` as fsspec opens it, ``shown`` without the password in it."""

    url: str = field(repr=False)
    shown: str

    def location(self, run_id: str) -> str:
        """Where the copy of that run is, as the store notes it: no password."""
        return f"{self.shown}/{run_id}"


def place() -> Place | None:
    """The place that ``HARNESS_ARTIFACTS`` names; None where it is not set. Nothing is opened yet.

    Raises :class:`HarnessError` where it is of a kind that fsspec does not know, or whose package is missing.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return None
    found = _PROTOCOL.match(text)
    if found is None:
        url = str(Path(text).expanduser().absolute())
        return Place(url, url)
    _known(found[0])
    url = text.rstrip("/")
    return Place(url, _PASSWORD.sub(r"\1@", url))


def upload(folder: RunFolder, to: Place) -> str:
    """Copy a run folder, replacing the copy there is; where the copy is. Raises :class:`HarnessError`."""
    if _same(to, folder):
        raise HarnessError(
            "the copy of the run would be the run folder itself",
            where=to.shown,
            hint=f"Let {VARIABLE} name another place than the folder of the runs (--out).",
        )
    files = [path for path in sorted(folder.path.rglob("*")) if path.is_file() and not path.is_symlink()]
    names = [path.relative_to(folder.path).as_posix() for path in files if path.name != LOCK]
    names.sort(key=lambda name: name == folder.plan.name)
    with _opened(f"{to.url}/{folder.run_id}", to) as (files_there, root):
        for parent in sorted({str(PurePosixPath(root, name).parent) for name in names}):
            files_there.makedirs(parent, exist_ok=True)
        for batch in (names[:-1], names[-1:]):
            files_there.put([str(folder.path / name) for name in batch], [f"{root}/{name}" for name in batch])
    return to.location(folder.run_id)


def download(location: str, parent: Path) -> RunFolder | None:
    """Fetch the copy at ``location`` to ``parent``; None where there is none. Raises :class:`HarnessError`."""
    run_id = location.rpartition("/")[2]
    with _opened(_with_password(location), _where(location)) as (files_there, root):
        if not files_there.exists(f"{root}/plan.json"):
            return None
        names = [name.removeprefix(f"{root}/") for name in files_there.find(root)]
    for name in names:
        if not PurePosixPath(name).parts or ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise HarnessError(f"the copy holds a file of no sensible name: {name!r}", where=location)
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=parent, prefix=f".{run_id}."))
    try:
        for name in names:
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
        with _opened(_with_password(location), _where(location)) as (files_there, root):
            files_there.get([f"{root}/{name}" for name in names], [str(temporary / name) for name in names])
        temporary.chmod(0o755)
        if not (parent / run_id).is_dir():  # else another process has fetched it meanwhile
            temporary.rename(parent / run_id)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # where it is still there, why is what counts
    return RunFolder.open(parent / run_id)


def remove(location: str, run_id: str) -> bool:
    """Remove the copy at ``location``; whether there was one. Raises :class:`HarnessError`.

    Only a folder of that run's id is ever removed, whatever the store says.
    """
    if location.rpartition("/")[2] != run_id or not is_run_id(run_id):
        raise HarnessError(f"this is no copy of run {run_id}", where=location, hint="It was left where it is.")
    with _opened(_with_password(location), _where(location)) as (files_there, root):
        if not files_there.exists(root):
            return False
        try:
            files_there.rm(root, recursive=True)
        except FileNotFoundError:
            if files_there.exists(root):
                raise
        return True  # by this call, or by another one at the same time


def is_run_id(name: str) -> bool:
    """Whether ``name`` may be a run's id: what may safely stand at the end of a path or URL."""
    return _RUN_ID.fullmatch(name) is not None


def _known(protocol: str) -> None:
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(protocol.lower())
    except ImportError as fault:
        raise HarnessError(f"{protocol}:// needs a package that is missing: {fault}", where=VARIABLE) from fault
    except ValueError as fault:
        raise HarnessError(f"no kind of place is called {protocol!r}", where=VARIABLE, hint=_FORMS) from fault


@contextmanager
def _opened(url: str, where: Place) -> Iterator[tuple[AbstractFileSystem, str]]:
    """The file system of ``url`` and the path in it; every fault of it is one :class:`HarnessError`."""
    from fsspec.core import url_to_fs

    try:
        # Neither kept: another process may have changed what is there.
        files_there, path = url_to_fs(url, skip_instance_cache=True, use_listings_cache=False)
        yield files_there, path.rstrip("/")
    except HarnessError:
        raise
    except Exception as fault:  # each kind of place raises its own
        lines = str(fault).strip().splitlines()
        message = lines[0] if lines else type(fault).__name__
        for password in {match[2] for match in _PASSWORD.finditer(url)} - {""}:
            message = message.replace(password, "***").replace(unquote(password), "***")
        raise HarnessError(
            f"the place for run folders cannot be used: {message}",
            where=where.shown,
            hint=f"Is it up, and are its name and credentials right? {VARIABLE} names it.",
        ) from fault


def _with_password(location: str) -> str:
    """``location`` as the store notes it, with the password that ``HARNESS_ARTIFACTS`` may have for it."""
    here = place()
    if here is not None and location.startswith(f"{here.shown}/"):
        return here.url + location.removeprefix(here.shown)
    return location


def _where(location: str) -> Place:
    return Place(location, location)


def _same(to: Place, folder: RunFolder) -> bool:
    local = to.url.removeprefix("file://")
    return "://" not in local and Path(local).resolve() == folder.path.resolve().parent
