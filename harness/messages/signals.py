"""Names of signals in messages."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """``SIGKILL``; for most real-time signals Python has no name: ``signal 40``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
