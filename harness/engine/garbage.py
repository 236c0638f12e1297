"""Full garbage collections only when they pay, because each one stops all users.

CPython searches *all* objects for garbage whenever their number has grown by a quarter. While 5,000 users started, that
stopped a worker six times for 50–230 ms, and each stop is in the response times of every user it hit. Young objects are
still collected as usual, which takes a millisecond. A full collection runs only when it may free much: when half of the
users have gone (a user and its client refer to each other), or when memory has doubled.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

_NEVER = 1 << 30
_FEWEST_GONE = 100
"""Fewer stopped users than this are not worth a collection."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """This process's resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


class Collector:
    """Runs this process's full collections, when :meth:`collect_if_due` is called.

    Objects that exist at construction (modules, the scenario) are expected to last and never searched again.
    """

    def __init__(self, resident: Callable[[], int] = resident_bytes) -> None:
        self._resident = resident
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, _NEVER)
        gc.collect()
        gc.freeze()
        self._most_users = 0
        self._resident_then = resident()

    def collect_if_due(self, users: int) -> bool:
        """Collect if it is due, given the number of ``users``; whether it was. Call it once a second."""
        self._most_users = max(self._most_users, users)
        gone = self._most_users - users
        if max(users, _FEWEST_GONE) > gone and self._resident() < 2 * self._resident_then:
            return False
        gc.collect()
        self._most_users = users
        self._resident_then = self._resident()
        return True
