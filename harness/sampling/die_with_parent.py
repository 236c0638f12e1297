"""Runs a program that dies with the harness: ``python -I -S die_with_parent.py PARENT COMMAND…``.

It is run for each recording of py-spy, so it imports next to nothing: that is three quarters of Python's start.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _become(parent: int, command: list[str]) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the prctl call
        return
    # py-spy ends its recording on SIGINT, which is ignored in what a script starts in the background.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except PermissionError:
        sys.exit(
            f"no permission to run {command[0]}: if its file has a capability (getcap), a container needs it, too: "
            "--cap-add SYS_PTRACE"
        )


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
