"""Ends what user code leaves behind: processes that a load process has started and that outlive it.

A child with a process group of its own is in no group to kill. But all inherit the environment, and in it a mark. Who
was given another environment is found by its parents: the fork server adopts what has lost its own
(``PR_SET_CHILD_SUBREAPER``).
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

MARK = "HARNESS_STARTED_BY"
"""The environment variable."""
_LONGEST_S = 5.0
"""Not even SIGKILL ends a process that is stuck in the kernel."""
_AGAIN_S = 0.02


def end_strays(mark: str, spared: int, adopter: int | None) -> None:
    """Kill all that has this mark, or descends from the process ``adopter``, except the process ``spared``.

    What other users run (``sudo`` in a scenario's ``setup``) is left if only they may end it.
    """
    deadline = time.monotonic() + _LONGEST_S
    while (found := strays_of(mark, spared, adopter)) and time.monotonic() < deadline:
        killed = [_kill(pid) for pid in found]  # again and again: one may start another meanwhile
        if not any(killed):
            return
        time.sleep(_AGAIN_S)


def _kill(pid: int) -> bool:
    """Whether this process may."""
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        return False
    except ProcessLookupError:  # it has just ended
        pass
    return True


def strays_of(mark: str, spared: int, adopter: int | None) -> set[int]:
    """All that has this mark, or descends from the process ``adopter``, except the process ``spared``."""
    return (_marked(f"{MARK}={mark}".encode()) | _descendants(adopter)) - {spared}


def _marked(variable: bytes) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is another user's
            if variable in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
    return found


def _descendants(root: int | None) -> set[int]:
    """Those that have not ended."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat") if root is not None else ():
        with suppress(OSError):
            state, parent = path.read_bytes().rpartition(b")")[2].split()[:2]
            if state not in (b"Z", b"X"):
                children.setdefault(int(parent), []).append(int(path.parent.name))
    found: set[int] = set()
    todo = [root]
    while todo:
        below = children.pop(todo.pop() or 0, [])
        found.update(below)
        todo += below
    return found
