"""What stops all users of a worker: its full garbage collections, and user code that computes.

CPython searches *all* objects for garbage whenever their number has grown by a quarter. While 5,000 users started, that
stopped a worker six times for 50–230 ms, and each stop is in the response times of every user it hit. Young objects are
still collected as usual, which takes a millisecond. A full collection runs only when it may free much: when half of the
users have gone (a user and its client refer to each other), or when memory has doubled.

User code that computes for long is found and named.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, ModuleType

import gevent

from harness.messages import Message, message

_NEVER = 1 << 30
_FEWEST_GONE = 100
"""Fewer stopped users than this are not worth a collection."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BLOCKED_S = 1.0
"""CPU time without a turn of the event loop."""
_OURS = (Path(__file__).parents[1], Path(gevent.__file__).parent)


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


class BlockWatch:
    """Finds user code that computes for so long that its worker's other users wait for it.

    It watches this process, as long as :meth:`reset` is called in each turn of the event loop or some times a second.

    The timer counts the process's own CPU time, so that a busy machine sets off no alarm.
    """

    def __init__(self, scenario: Sequence[ModuleType], report: Callable[[Message], None]) -> None:
        self._folders = {Path(module.__file__).parent for module in scenario if module.__file__}
        self._report = report
        signal.signal(signal.SIGVTALRM, self._on_alarm)

    def reset(self) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, BLOCKED_S)

    def _on_alarm(self, _: int, frame: FrameType | None) -> None:
        while frame is not None:
            file = Path(frame.f_code.co_filename)
            if any(file.is_relative_to(folder) for folder in _OURS):
                return  # user code called it, but does not compute itself
            if "site-packages" not in file.parts and any(file.is_relative_to(folder) for folder in self._folders):
                location = f"{file}:{frame.f_lineno}"
                self._report(message("event-loop-blocked", location=location, limit_s=BLOCKED_S))
                return
            frame = frame.f_back
