"""Whether a run is still in progress: its process holds a lock on a file in the run folder until it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from harness.record.run_folder import RunFolder

LOCK = ".running"


@contextmanager
def marked_as_running(folder: RunFolder) -> Iterator[None]:
    """Mark the run as in progress until this block ends, or this process, however it ends."""
    path = folder.path / LOCK
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def is_running(folder: RunFolder) -> bool:
    """Whether a process of this machine, or of one that shares its files, is still making this run."""
    try:
        with (folder.path / LOCK).open("r+") as file:  # "r+": NFS gives an exclusive lock only to writers
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):  # without the permission to ask, it is another user's
        return True
    return False
