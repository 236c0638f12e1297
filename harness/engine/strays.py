"""Ends what user code leaves behind: processes that a load process has started and that outlive it.

A child with a process group of its own is in no group to kill, and a grandchild has lost its parent. But all inherit
the environment, and in it a mark.
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


def end_strays(mark: str, spared: int) -> None:
    """Kill all that has this mark, whoever has started it by now, except the process ``spared``."""
    deadline = time.monotonic() + _LONGEST_S
    variable = f"{MARK}={mark}".encode()
    while (found := _marked(variable) - {spared}) and time.monotonic() < deadline:
        for pid in found:  # again and again: one may start another meanwhile
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_AGAIN_S)


def _marked(variable: bytes) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is another user's
            if variable in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
    return found
