"""Runs one command of a fault, ``command_runner.py SECONDS WORD…``, and prints the result as JSON.

It adopts orphans (``PR_SET_CHILD_SUBREAPER``), so a command that takes too long is killed with all that it has started,
even in other sessions. Processes that a finished command leaves behind keep running. When standard input ends, the
process that started this one has ended: the command is killed as well, because another process now undoes the fault.
It imports as little as possible, to start fast.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_KILL_S = 5.0
"""Others' processes (``sudo``) cannot be killed, and none that is stuck in the kernel ends by it."""
_AGAIN_S = 0.02


def _main() -> None:
    timeout_s, *words = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        command = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=2, stderr=2, start_new_session=True)
    except OSError as error:
        _say(error=error.strerror)
        return
    ended, waiter = os.pidfd_open(command.pid), select.poll()
    waiter.register(ended, select.POLLIN)
    waiter.register(0, select.POLLIN)
    ready = [descriptor for descriptor, _ in waiter.poll(1000 * float(timeout_s))]
    if ended in ready:
        _say(status=command.wait())
    else:
        _say(killed=_killed_all())


def _say(**how: object) -> None:
    with suppress(OSError):  # the process that started it has ended
        print(json.dumps(how), flush=True)


def _killed_all() -> bool:
    """Kill all descendants; whether they have ended. Those of a child that was killed are children of this process."""
    until_s = time.monotonic() + _KILL_S
    while time.monotonic() < until_s:
        for pid in _children():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        time.sleep(_AGAIN_S)
    return False


def _children() -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_bytes().rpartition(b")")[2].split()[1]) == os.getpid():
                yield int(path.parent.name)


if __name__ == "__main__":
    _main()
