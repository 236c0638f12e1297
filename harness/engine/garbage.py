"""Garbage collection that does not stand in the users' way.

CPython looks through *all* objects for garbage whenever their number has grown by a quarter. While 5,000 users joined,
that stopped a worker six times for 50–230 ms here, and each stop is in the response times of every user it met. Young
objects are still looked through as ever (that takes a millisecond); a full collection is made only when it may free
much: when half of the users have gone, for a user and its client refer to each other, or when memory has doubled.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

_NEVER = 1 << 30
_FEWEST_GONE = 100
"""Fewer users than this leave nothing worth a collection behind."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """This process's resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


class Collector:
    """Makes this process's full collections, when :meth:`look` is called and finds one due.

    Whatever exists when it is made (modules, the scenario) is taken to last and never looked through again.
    """

    def __init__(self, resident: Callable[[], int] = resident_bytes) -> None:
        self._resident = resident
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, _NEVER)
        gc.collect()
        gc.freeze()
        self._most_users = 0
        self._resident_then = resident()

    def look(self, users: int) -> bool:
        """Collect if it is due, ``users`` being how many there are; whether it was. Meant for once a second."""
        self._most_users = max(self._most_users, users)
        gone = self._most_users - users
        if max(users, _FEWEST_GONE) > gone and self._resident() < 2 * self._resident_then:
            return False
        gc.collect()
        self._most_users = users
        self._resident_then = self._resident()
        return True
