"""How processes ended, in messages."""

from __future__ import annotations

import signal

from harness.messages import Message, message


def signal_name(number: int) -> str:
    """``SIGKILL``; for most real-time signals Python has no name: ``signal 40``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def how_it_ended(status: int | None, *, out_of_memory: bool = False) -> Message:
    """``exited with code 1``, ``was killed by SIGSEGV``. ``status`` is minus the signal's number, if it was one."""
    if out_of_memory:
        return message("ended-out-of-memory")
    if status is None:
        return message("ended-somehow")
    return (
        message("target-exited", status=status)
        if status >= 0
        else message("target-killed", signal=signal_name(-status))
    )
