"""The time since the epoch, by a clock that nobody sets.

The machine's clock may be set while a run measures, by hand, by NTP or by a hypervisor. What each process of the run
records is then still in the second in which it was.
"""

from __future__ import annotations

import time

_offset_s = time.time() - time.monotonic()


def follow_machine() -> None:
    """Adopt the machine's clock: before a run, as this process may be older than the last time it was set."""
    global _offset_s
    _offset_s = time.time() - time.monotonic()


def now_s() -> float:
    """Seconds since the epoch, as if the machine's clock had not been set since it was adopted."""
    return _offset_s + time.monotonic()


def set_by_s() -> float:
    """By how much the machine's clock has been set since it was adopted."""
    return time.time() - now_s()
