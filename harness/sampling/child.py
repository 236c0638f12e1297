"""Runs tools as children that die with the harness.

The kernel kills such a child (``PR_SET_PDEATHSIG``) when the *thread* that started it ends, also on SIGKILL. So start
it from a thread that lives as long as the child should.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from harness.messages.signals import how_it_ended
from harness.sampling import die_with_parent

_POLL_S = 0.1


def start_child(command: Sequence[str], output: int | IO[bytes], errors: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, so that Ctrl-C at the terminal does not reach it."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), *command],
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
    if child.returncode < 0:  # a tool in C may crash
        raise ChildProcessError(str(how_it_ended(child.returncode)))
    if child.returncode != 0:
        raise ChildProcessError((errors.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1])
    return output


def tool(name: str) -> str | None:
    """The path of a program installed beside this Python; None if it is not installed."""
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else None
