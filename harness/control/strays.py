"""Ends what user code leaves behind: processes that a load process has started and that outlive it.

A child with a process group of its own is in no group to kill, and a grandchild has lost its parent. But all inherit
the environment. So load processes get a mark in theirs, and a watcher, which runs this file by itself, kills whatever
has the mark as soon as its standard input ends: when the harness asks for it, or has gone, also by SIGKILL.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_VARIABLE = "HARNESS_STARTED_BY"
_LONGEST_S = 5.0
"""Not even SIGKILL ends a process that is stuck in the kernel."""
_AGAIN_S = 0.02


class Strays:
    """Add ``mark`` to the environment of what runs user code; :meth:`end` kills all that still has it."""

    def __init__(self) -> None:
        import subprocess  # the watcher, which starts beside what a user waits for, does not need it

        mark = os.urandom(16).hex()
        self.mark = {_VARIABLE: mark}
        self._watcher = subprocess.Popen(
            [sys.executable, "-IS", __file__, mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """Kill what has the mark, whoever has started it by now. Harmless when called again."""
        self._watcher.communicate()


def _marked(mark: bytes) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is another user's
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def _watch(mark: str) -> None:
    sys.stdin.read()
    deadline = time.monotonic() + _LONGEST_S
    while (found := _marked(f"{_VARIABLE}={mark}".encode())) and time.monotonic() < deadline:
        for pid in found:  # again and again: one may start another meanwhile
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_AGAIN_S)


if __name__ == "__main__":
    _watch(sys.argv[1])
