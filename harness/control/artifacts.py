"""Copies of run folders: in the directory, or at the fsspec URL, that ``HARNESS_ARTIFACTS`` names.

A copy is a folder named by its run id. ``plan.json``, without which a folder is not a run folder, is copied last, so
that a copy that was cut off is never taken for a run. How long copies are kept is up to the location (for S3, a
lifecycle rule): the harness never removes one.
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

from harness.errors import HarnessError, how_to_install
from harness.record.redaction import REDACTED, redacted
from harness.record.run_folder import LOCK, RunFolder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

VARIABLE = "HARNESS_ARTIFACTS"

_PROTOCOL = re.compile(r"[a-z][a-z0-9+.-]*(?=://|::)", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://).*@")
"""Greedy, and across slashes: a password may contain an ``@`` or a ``/`` that is not encoded."""
_EXTRAS = {"s3fs": "s3"}
"""Packages that an extra of the harness installs."""
_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class ArtifactLocation:
    """Where copies of run folders are kept: ``url`` as fsspec opens it."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        """For people: without user name and password."""
        return redacted(_USERINFO.sub(f"{REDACTED}@", self.url))


def artifact_location() -> ArtifactLocation | None:
    """The location that ``HARNESS_ARTIFACTS`` names; None if it is not set. Nothing is opened yet.

    Raises :class:`HarnessError` if fsspec does not know its protocol, or needs a package that is not installed.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return None
    protocol = _PROTOCOL.match(text)
    if protocol is None:
        return ArtifactLocation(str(Path(text).expanduser().absolute()))
    _require_file_system(protocol[0])
    return ArtifactLocation(text.rstrip("/"))


def is_run_id(name: str) -> bool:
    """Whether ``name`` has the form of a run id: safe as the last part of a path or URL."""
    return _RUN_ID.fullmatch(name) is not None


def upload(folder: RunFolder, to: ArtifactLocation) -> None:
    """Copy a run folder. Raises :class:`HarnessError`."""
    local = to.url.removeprefix("file://")
    if "://" not in local and Path(local).resolve() == folder.path.resolve().parent:
        raise HarnessError("artifacts-in-reports", where=str(to), variable=VARIABLE)
    files = [path for path in sorted(folder.path.rglob("*")) if path.is_file() and not path.is_symlink()]
    names = [path.relative_to(folder.path).as_posix() for path in files if path.name != LOCK]
    names.sort(key=lambda name: name == folder.plan.name)
    with _opened(to, folder.run_id) as (file_system, root):
        for parent in sorted({str(PurePosixPath(root, name).parent) for name in names}):
            file_system.makedirs(parent, exist_ok=True)
        for part in (names[:-1], names[-1:]):
            file_system.put([str(folder.path / name) for name in part], [f"{root}/{name}" for name in part])


def download(run_id: str, location: ArtifactLocation, parent: Path) -> RunFolder | None:
    """Fetch the copy of ``run_id`` into the folder ``parent``; None if there is none. Raises :class:`HarnessError`."""
    with _opened(location, run_id) as (file_system, root):
        if not _exists(file_system, f"{root}/plan.json"):
            return None
        names = _names(file_system, root)
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise HarnessError("artifact-unsafe-name", where=str(location), run=run_id, name=name)
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=parent, prefix=f".{run_id}."))
    try:
        for name in names:
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
        with _opened(location, run_id) as (file_system, root):
            file_system.get([f"{root}/{name}" for name in names], [str(temporary / name) for name in names])
        temporary.chmod(0o755)
        try:
            temporary.rename(parent / run_id)
        except OSError:
            if not (parent / run_id).is_dir():  # else another process has fetched it meanwhile
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return RunFolder.open(parent / run_id)


def _require_file_system(protocol: str) -> None:
    from fsspec import get_filesystem_class  # only here: most runs copy nothing

    try:
        get_filesystem_class(protocol.lower())
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or protocol
        extra = _EXTRAS.get(package)
        raise HarnessError(
            "artifacts-package-missing",
            where=VARIABLE,
            protocol=protocol,
            package=package,
            command=how_to_install(extra) if extra else f"Run `uv pip install {package}` or `pip install {package}`.",
        ) from error
    except ValueError as error:
        raise HarnessError("artifacts-unknown-protocol", where=VARIABLE, protocol=protocol) from error


@contextmanager
def _opened(location: ArtifactLocation, run_id: str) -> Iterator[tuple[AbstractFileSystem, str]]:
    """The file system and the path in it of a run's copy; every error of it becomes one :class:`HarnessError`."""
    from fsspec.core import url_to_fs  # as above

    try:
        # Neither is cached: another process may have changed the files.
        file_system, path = url_to_fs(f"{location.url}/{run_id}", skip_instance_cache=True, use_listings_cache=False)
        yield file_system, path.rstrip("/")
    except HarnessError:
        raise
    except Exception as error:  # each file system raises its own
        lines = str(error).strip().splitlines()
        raise HarnessError(
            "artifacts-unavailable",
            where=str(location),
            reason=_without_credentials(lines[0] if lines else type(error).__name__, location.url),
            variable=VARIABLE,
        ) from error


def _without_credentials(text: str, url: str) -> str:
    """``text`` without what stands before the ``@`` in ``url``, also when a file system repeats only a part of it."""
    text = redacted(text)
    found = _USERINFO.search(url)
    user, _, password = found[0][:-1].partition(":") if found else ("", "", "")
    for secret in {password, unquote(password)} - {""}:
        text = text.replace(secret, REDACTED)
    for name in {user, unquote(user)} - {""}:  # it may be a common word, and part of other words
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", REDACTED, text)
    return text


def _exists(file_system: AbstractFileSystem, path: str) -> bool:
    """As fsspec's own ``exists``, which also returns false on a time-out or a refused request."""
    try:
        file_system.info(path)
    except FileNotFoundError:
        return False
    return True


def _names(file_system: AbstractFileSystem, root: str) -> list[str]:
    """The files below ``root``. fsspec's own ``find`` skips folders that it fails to list."""
    names: list[str] = []
    folders = [root]
    while folders:
        folder = folders.pop()
        for entry in file_system.ls(folder, detail=True):
            path = entry["name"].rstrip("/")
            if path == folder or entry.get("islink"):  # an object store's marker of a folder; no copy has links
                continue
            if entry["type"] == "directory":
                folders.append(path)
            else:
                names.append(path.removeprefix(f"{root}/"))
    return names
