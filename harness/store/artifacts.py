"""Run folders kept where a team finds them: a directory, or any fsspec URL, named by ``HARNESS_ARTIFACTS``.

A copy is a folder of the run's id below that place. ``plan.json``, without which a folder is no run folder, is copied
last and removed first: a copy that was cut off, or removed in part, is never taken for a run.

Beside each copy lies a receipt (``.RUN-ID.harness``), made before it and gone after all that is known of it. Where
neither a copy nor its receipt is found the place itself is not here: a directory of another machine, or a disk that is
not mounted, whose mount point may have got copies and receipts of its own meanwhile. Nothing is known of the copy.
Copies of older versions have no receipt; theirs is made when they are removed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from harness.errors import HarnessError, how_to_install
from harness.record.redaction import REDACTED, redacted
from harness.record.run_folder import RunFolder
from harness.record.running import LOCK

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

VARIABLE = "HARNESS_ARTIFACTS"

_PROTOCOL = re.compile(r"[a-z][a-z0-9+.-]*(?=://|::)", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^/?#:]*):(?P<password>[^/?#]*)@")
"""RFC 3986, 3.2.1; greedy, for it may hold an ``@`` that nobody has encoded."""
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
_AUTHORITY = re.compile(r"(?<=://)(?P<userinfo>[^/?#]*@)?[^/?#@:]*(?::(?P<port>[^/?#@]*))?(?P<path>[^@]*@)?")
_PLAN = "plan.json"
_RECEIPT_TEXT = """\
A copy of run {run_id} was made here by harness. By this file it sees that its place is here: leave it.
"""
_EXTRAS = {"s3fs": "s3"}
"""Packages that an extra of the harness installs."""
_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FORMS = "Give a directory, or a URL such as s3://bucket/runs or sftp://user@host/runs"


@dataclass(frozen=True, slots=True)
class ArtifactLocation:
    """Where copies of run folders are kept: ``url`` as fsspec opens it."""

    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        """For people: no password, nor user's name."""
        return shown(self.url)

    def location(self, run_id: str) -> str:
        """Where the copy of that run is, as the store, and nothing else, notes it: no password."""
        return f"{_without_password(self.url)}/{run_id}"


def place() -> ArtifactLocation | None:
    """The place that ``HARNESS_ARTIFACTS`` names; None where it is not set. Nothing is opened yet.

    Raises :class:`HarnessError` where it is of a kind that fsspec does not know, or whose package is missing, and
    where it cannot be told which part of the URL is a password.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return None
    found = _PROTOCOL.match(text)
    if found is None:
        return ArtifactLocation(str(Path(text).expanduser().absolute()))
    _known(found[0])
    _refuse_raw_password(text)
    return ArtifactLocation(text.rstrip("/"))


def shown(url: str) -> str:
    """A place, or the location of a copy, as people and files are told it: a user's name may be a token."""
    return redacted(_without_password(url))


def upload(folder: RunFolder, to: ArtifactLocation, *, without: Collection[str] = ()) -> str:
    """Copy a run folder, but for the files ``without``, replacing the copy there is; where the copy is.

    Raises :class:`HarnessError`.
    """
    if _same(to, folder):
        raise HarnessError(
            "the copy of the run would be the run folder itself",
            where=to.shown,
            hint=f"Let {VARIABLE} name another place than the folder of the runs (--out).",
        )
    files = [path for path in sorted(folder.path.rglob("*")) if path.is_file() and not path.is_symlink()]
    names = [path.relative_to(folder.path).as_posix() for path in files if path.name not in (LOCK, *without)]
    names.sort(key=lambda name: name == folder.plan.name)
    with _opened(f"{to.url}/{folder.run_id}") as (files_there, root):
        for parent in sorted({str(PurePosixPath(root, name).parent) for name in names}):
            files_there.makedirs(parent, exist_ok=True)
        _make_receipt(files_there, root)
        _take_plan(files_there, root)
        *others, plan = names
        files_there.put([str(folder.path / name) for name in others], [f"{root}/{name}" for name in others])
        for surplus in set(_names(files_there, root)) - set(others):
            files_there.rm_file(f"{root}/{surplus}")
        files_there.put([str(folder.path / plan)], [f"{root}/{plan}"])
    return to.location(folder.run_id)


def download(location: str, parent: Path) -> RunFolder | None:
    """Fetch the copy at ``location`` to ``parent``; None where there is none. Raises :class:`HarnessError`."""
    run_id = location.rpartition("/")[2]
    with _opened(_as_opened(location)) as (files_there, root):
        if not _there(files_there, f"{root}/{_PLAN}"):
            return None
        names = _names(files_there, root)
    for name in names:
        if not PurePosixPath(name).parts or ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise HarnessError(f"the copy holds a file of no sensible name: {name!r}", where=shown(location))
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=parent, prefix=f".{run_id}."))
    try:
        for name in names:
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
        with _opened(_as_opened(location)) as (files_there, root):
            files_there.get([f"{root}/{name}" for name in names], [str(temporary / name) for name in names])
        temporary.chmod(0o755)
        try:
            temporary.rename(parent / run_id)
        except OSError:
            if not (parent / run_id).is_dir():  # else another process has fetched it meanwhile
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # where it is still there, why is what counts
    return RunFolder.open(parent / run_id)


def remove(location: str, run_id: str) -> bool:
    """Remove the copy at ``location``; whether there was one. Raises :class:`HarnessError`.

    Only a folder of that run's id is ever removed, whatever the store says. Where the place is not here, whether there
    is a copy is not known: that is a fault. The copy's receipt stays, for the next call, until :func:`forget`.
    """
    if location.rpartition("/")[2] != run_id or not is_run_id(run_id):
        raise HarnessError(f"this is no copy of run {run_id}", where=shown(location), hint="It was left where it is.")
    with _opened(_as_opened(location)) as (files_there, root):
        if not _there(files_there, root):
            _refuse_other_place(files_there, root, shown(location))
            return False
        _make_receipt(files_there, root)  # a copy of an older version has none
        _take_plan(files_there, root)
        try:
            files_there.rm(root, recursive=True)
        except FileNotFoundError:
            if _there(files_there, root):
                raise
        return True  # by this call, or by another one at the same time


def forget(location: str) -> None:
    """Take away the receipt of a copy that was removed, now that nothing refers to it."""
    with suppress(HarnessError), _opened(_as_opened(location)) as (files_there, root):
        # Suppressed, for one that stays harms nobody: a few bytes, and what they say is true.
        files_there.rm_file(_receipt(root))


def is_at(location: str, place: str) -> bool:
    """Whether the copy at ``location`` is one of those at ``place``, whatever password either has in it.

    A user's name counts where both have one, unless it is masked: it may be the container (``abfs://CONTAINER@…``).
    """
    if _PROTOCOL.match(place) is None:
        place = str(Path(place).expanduser().absolute())
    if len({_user(location), _user(place)} - {"", REDACTED}) > 1:
        return False
    return _without_userinfo(location).startswith(f"{_without_userinfo(place).rstrip('/')}/")


def is_run_id(name: str) -> bool:
    """Whether ``name`` may be a run's id: what may safely stand at the end of a path or URL."""
    return _RUN_ID.fullmatch(name) is not None


def _known(protocol: str) -> None:
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(protocol.lower())
    except ImportError as fault:
        package = getattr(fault.__cause__, "name", None) or protocol
        extra = _EXTRAS.get(package)
        raise HarnessError(
            f"{protocol}:// needs a package that is missing: {fault}",
            where=VARIABLE,
            hint=how_to_install(extra) if extra else f"uv pip install {package} (or: pip install {package})",
        ) from fault
    except ValueError as fault:
        raise HarnessError(f"no kind of place is called {protocol!r}", where=VARIABLE, hint=_FORMS) from fault


def _refuse_raw_password(url: str) -> None:
    for found in _AUTHORITY.finditer(url):
        # With a user before the host, a number behind it is a port, and an "@" behind that is the path's.
        is_port = found["userinfo"] is not None and found["port"] is not None and found["port"].isdigit()
        if found["port"] is not None and found["path"] is not None and not is_port:
            raise HarnessError(
                "it cannot be told where the password of this URL ends",
                where=VARIABLE,
                hint="In a password write / as %2F, ? as %3F, # as %23 and @ as %40. Before host:port and a path "
                "with an @ write the user.",
            )


@contextmanager
def _opened(url: str) -> Iterator[tuple[AbstractFileSystem, str]]:
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
        message = _without_secrets(lines[0] if lines else type(fault).__name__, url)
        raise HarnessError(
            f"the place for run folders cannot be used: {message}",
            where=shown(url),
            hint="The copy was made by another user than the one in "
            f"{VARIABLE}: let that have the name and password of the one who made it."
            if _is_another_users(url)
            else f"Is it up, and are its name and credentials right? {VARIABLE} names it.",
        ) from fault


def _without_secrets(message: str, url: str) -> str:
    message = redacted(message)
    for found in _USERINFO.finditer(url):
        user, _, password = found[0][:-1].partition(":")
        for secret in {password, unquote(password)} - {""}:
            message = message.replace(secret, REDACTED)
        for name in {user, unquote(user)} - {""}:  # which may be a word, and a part of others
            message = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", REDACTED, message)
    return message


def _as_opened(location: str) -> str:
    """``location`` as the store notes it, with the credentials that ``HARNESS_ARTIFACTS`` may have for it.

    That is where it names the same place by the same user; and where the store has no user's name, as older versions
    noted it.
    """
    here, noted = place(), _without_password(location)
    if here is not None:
        for same in (_without_password(here.url), _without_userinfo(here.url)):
            if noted.startswith(f"{same}/"):
                return here.url + noted.removeprefix(same)
    return location


def _is_another_users(url: str) -> bool:
    """Whether it is of the place that ``HARNESS_ARTIFACTS`` names, by another user."""
    here = place()
    if here is None or url.startswith(f"{here.url}/"):
        return False
    return _without_userinfo(url).startswith(f"{_without_userinfo(here.url)}/")


def _without_password(url: str) -> str:
    """``url`` without its password. What is before it stays: where a copy is, a user's name tells, too
    (``abfs://CONTAINER@ACCOUNT…``, the folders of ``ftp://ann@host``).
    """
    return _PASSWORD.sub(r"\g<user>@", url)


def _user(url: str) -> str:
    found = _USERINFO.search(url)
    return found[0][:-1].partition(":")[0] if found else ""


def _without_userinfo(url: str) -> str:
    return _USERINFO.sub("", url)


def _there(files_there: AbstractFileSystem, path: str) -> bool:
    """Whether it is there. fsspec's own ``exists`` says no on any fault: a timeout, a refused look."""
    try:
        files_there.info(path)
    except FileNotFoundError:
        return False
    return True


def _names(files_there: AbstractFileSystem, root: str) -> list[str]:
    """The files below ``root``. fsspec's own ``find`` leaves out folders that it fails to list."""
    names: list[str] = []
    folders = [root] if _there(files_there, root) else []
    while folders:
        folder = folders.pop()
        for entry in files_there.ls(folder, detail=True):
            path = entry["name"].rstrip("/")
            if path == folder or entry.get("islink"):  # an object store's mark of a folder; no copy has links
                continue
            if entry["type"] == "directory":
                folders.append(path)
            else:
                names.append(path.removeprefix(f"{root}/"))
    return names


def _receipt(root: str) -> str:
    """Where the receipt of the copy at ``root`` lies."""
    place, _, run_id = root.rpartition("/")
    return f"{place}/.{run_id}.harness"


def _make_receipt(files_there: AbstractFileSystem, root: str) -> None:
    """A file of its own for each, which needs no other right than making the copy does."""
    files_there.pipe_file(_receipt(root), _RECEIPT_TEXT.format(run_id=root.rpartition("/")[2]).encode())


def _refuse_other_place(files_there: AbstractFileSystem, root: str, where: str) -> None:
    """Raise where no receipt shows that the copy, which is not at ``root``, was made in this very place."""
    if not _there(files_there, _receipt(root)):
        raise HarnessError(
            "the place of this copy is not here: there is neither the copy nor the receipt of it",
            where=where,
            hint="Is it mounted, and is this the machine that has it? If so, and the copy is gone, add "
            f"--gone {shlex.quote(where.rpartition('/')[0])}",
        )


def _take_plan(files_there: AbstractFileSystem, root: str) -> None:
    """From now on, until its plan is put back, the copy is none."""
    with suppress(FileNotFoundError):
        if _there(files_there, f"{root}/{_PLAN}"):
            files_there.rm_file(f"{root}/{_PLAN}")


def _same(to: ArtifactLocation, folder: RunFolder) -> bool:
    local = to.url.removeprefix("file://")
    return "://" not in local and Path(local).resolve() == folder.path.resolve().parent
