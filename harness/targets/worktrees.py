"""Two builds of one project, each in a git worktree of its own that lasts as long as the run."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from harness.errors import HarnessError
from harness.messages import Option

_PREFIX = "harness-duet-"
_LOCK = "lock"
_GIT_TIMEOUT_S = 300.0
"""A large checkout takes a while."""


class Build(NamedTuple):
    """A commit that is checked out; ``folder`` corresponds in it to the folder in which the harness was started."""

    folder: Path
    revision: str
    """The name by which the commit was requested, and its ID, for messages."""


@contextmanager
def two_builds(base: str, *, uncommitted: bool) -> Iterator[tuple[Build, Build]]:
    """Check out ``base``, and HEAD of the project in the current folder; the checkouts are removed at the end.

    With ``uncommitted``, HEAD has the changes of tracked files that are not committed yet. What a killed run left
    behind is removed first. Raises :class:`HarnessError` if that is not possible.
    """
    top, below = _project()
    commits = [(base, _commit(base)), ("HEAD", _head(uncommitted=uncommitted))]
    _remove_abandoned()
    with ExitStack() as stack:
        parent = _temporary_folder(stack)
        builds = []
        for name, (reference, commit) in zip("ab", commits, strict=True):
            # Named after the project: some tools take a project's name from its folder.
            path = parent / name / top.name
            path.parent.mkdir()
            stack.callback(_remove_worktree, path)
            _git("worktree", "add", "--quiet", "--detach", str(path), commit)
            folder = path / below
            if not folder.is_dir():
                raise HarnessError("duet-folder-not-in-build", where=Option("base"), folder=below, build=reference)
            shown = f"{reference} ({commit[:12]})"
            builds.append(Build(folder, f"{shown} with uncommitted changes" if name == "b" and uncommitted else shown))
        yield builds[0], builds[1]


def _project() -> tuple[Path, str]:
    """The top folder of the checkout, and the current one below it."""
    try:
        return Path(_git("rev-parse", "--show-toplevel")), _git("rev-parse", "--show-prefix")
    except HarnessError as error:
        raise HarnessError(
            "duet-without-git",
            where=Option("base"),
            folder=str(Path.cwd()),
            error=error.reason(),
            a=Option("a", "CMD"),
            b=Option("b", "CMD"),
        ) from error


def _commit(reference: str) -> str:
    try:
        return _git("rev-parse", "--verify", "--end-of-options", f"{reference}^{{commit}}").splitlines()[-1]
    except HarnessError as error:
        raise HarnessError("duet-base-unknown", where=Option("base"), base=reference) from error


def _head(*, uncommitted: bool) -> str:
    head = _commit("HEAD")
    changed = _git("diff", "--name-only", "HEAD").splitlines()
    if not changed:
        return head
    if not uncommitted:
        raise HarnessError("duet-uncommitted", where=Option("base"), files=changed, option=Option("uncommitted"))
    # A commit of the changed files, which no branch and no stash has.
    return _git("stash", "create") or head


def _temporary_folder(stack: ExitStack) -> Path:
    """A folder for this process, which locks a file in it."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)))
    unlocked = folder / ".lock"
    fcntl.flock(stack.enter_context(unlocked.open("w")), fcntl.LOCK_EX)
    unlocked.rename(folder / _LOCK)
    return folder


def _remove_abandoned() -> None:
    """Remove what runs that were killed have left."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError), lock.open("r+") as file:  # another user's, or of a run that has not ended
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for link in lock.parent.glob("[ab]/*/.git"):
                _remove_worktree(link.parent)
            shutil.rmtree(lock.parent, ignore_errors=True)


def _remove_worktree(path: Path) -> None:
    if (path / ".git").exists():
        with suppress(HarnessError):  # its repository may have been removed; the folder itself is removed nevertheless
            # Twice: git locks a worktree while it checks it out, and may have been killed then.
            _git("-C", str(path), "worktree", "remove", "--force", "--force", str(path))


def _git(*arguments: str) -> str:
    """What git prints. Raises :class:`HarnessError` if it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=False, errors="replace"
        )
    except OSError as error:
        raise HarnessError("git-not-started", error=error.strerror or error) from error
    except subprocess.TimeoutExpired as error:
        raise HarnessError("git-failed", error=f"no response within {_GIT_TIMEOUT_S:g} s") from error
    if done.returncode:
        raise HarnessError("git-failed", error=done.stderr.strip() or f"exit status {done.returncode}")
    return done.stdout.strip()
