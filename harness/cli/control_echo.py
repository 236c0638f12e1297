"""Keeps the terminal from echoing Ctrl-C as ``^C`` into what the live view draws."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

_LOCAL_FLAGS = 3
"""Of what ``tcgetattr`` returns."""


@contextmanager
def no_control_echo(file: IO[str]) -> Iterator[None]:
    """Within, the terminal ``file`` echoes no control characters; afterwards it does if it did before."""
    cleared = _set_echo(file, on=False)
    try:
        yield
    finally:
        if cleared:
            _set_echo(file, on=True)


def _set_echo(file: IO[str], *, on: bool) -> bool:
    """Whether that changed anything. A process in the background must not: the kernel would stop it."""
    with suppress(OSError, ValueError, termios.error):  # no terminal, not ours, or closed
        terminal = file.fileno()
        if os.tcgetpgrp(terminal) == os.getpgrp():
            attributes = termios.tcgetattr(terminal)
            if bool(attributes[_LOCAL_FLAGS] & termios.ECHOCTL) is not on:
                attributes[_LOCAL_FLAGS] ^= termios.ECHOCTL
                termios.tcsetattr(terminal, termios.TCSANOW, attributes)
                return True
    return False
