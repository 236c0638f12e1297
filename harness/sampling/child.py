"""Runs a tool as a child that dies with the harness: ``python -m harness.sampling.child PARENT COMMAND…``.

The kernel kills it (``PR_SET_PDEATHSIG``) when the *thread* that started it ends, also on SIGKILL. So start it from a
thread that lives as long as the child should.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.1


def start_child(command: Sequence[str], output: int | IO[bytes], errors: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, so that Ctrl-C at the terminal does not reach it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "harness.sampling.child", str(os.getpid()), *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )


def read_from_child(module: str, argument: Path, timeout_s: float, interrupts: Callable[[], int] = lambda: 0) -> bytes:
    """What ``python -m MODULE ARGUMENT`` prints.

    Raises ``ChildProcessError`` with the last line of its errors if it fails, ``TimeoutError`` if it takes longer than
    ``timeout_s``, and ``KeyboardInterrupt`` once there are interrupts.
    """
    child = start_child([sys.executable, "-P", "-m", module, str(argument)], subprocess.PIPE, subprocess.PIPE)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            output, errors = child.communicate(timeout=_POLL_S)
            break
        except subprocess.TimeoutExpired:
            if not interrupts() and time.monotonic() < deadline:
                continue
            child.kill()
            child.communicate()
            raise (KeyboardInterrupt if interrupts() else TimeoutError) from None
    if child.returncode != 0:
        raise ChildProcessError((errors.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1])
    return output


def tool(name: str) -> str | None:
    """The path of a program installed beside this Python; None if it is not installed."""
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else None


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
