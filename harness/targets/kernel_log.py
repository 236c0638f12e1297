"""Whether the kernel killed a process because memory ran out, by the kernel's own word."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from harness.control_groups import ROOT, groups_of

_KILLED = re.compile(rb"out of memory: Killed process (\d+) ", re.IGNORECASE)
_COUNTED = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_RECORD_BYTES = 8192


class OutOfMemoryWatch:
    """Watches the control group of a process from now on.

    The kernel's log names processes, but not everyone may read it, and in a container it has other process ids. The
    counter of the control group (cgroups(7)) names none.
    """

    def __init__(self, pid: int) -> None:
        self._counters = _counters_of(pid)
        self._before = self._count()
        self._killed: set[int] = set()

    def killed(self, pid: int) -> bool:
        """Whether ``pid``, which SIGKILL has ended, was one of those."""
        if pid not in self._killed:
            counted = self._count() > self._before
            self._before += counted  # it explains the end of one process, not of all that are killed from now on
            if counted or pid in _named_in_log():
                self._killed.add(pid)
        return pid in self._killed

    def _count(self) -> int:
        for counter in self._counters:
            with suppress(OSError):
                if found := _COUNTED.search(counter.read_text()):
                    return int(found[1])
        return 0


def _counters_of(pid: int) -> list[Path]:
    """The files with the count of a process's control group: version 2, then 1, each also as a container sees it."""
    for controllers, path in groups_of(pid):
        if "memory" in controllers:
            return [ROOT / "memory" / at / "memory.oom_control" for at in (path, "")]
        if not controllers and (ROOT / "cgroup.controllers").exists():
            return [ROOT / at / "memory.events" for at in (path, "")]
    return []


def _named_in_log() -> set[int]:
    """The processes that the kernel's log names; none where it may not be read."""
    named: set[int] = set()
    with suppress(OSError):
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        try:
            while record := os.read(log, _RECORD_BYTES):
                named |= {int(found[1]) for found in _KILLED.finditer(record)}
        finally:
            os.close(log)
    return named
