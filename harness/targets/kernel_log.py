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
_FIRST_NAMESPACE = "pid:[4026531836]"
"""``PROC_PID_INIT_INO`` (include/linux/proc_ns.h): of processes that are in no container."""


class OutOfMemoryWatch:
    """Watches the control group of a process from now on.

    The kernel's log names processes, but not everyone may read it, and in a container it has other process ids. The
    counter of the control group (cgroups(7)) then has to do. It names none, and version 1 counts groups below it, too.
    """

    def __init__(self, pid: int, log: Path = Path("/dev/kmsg")) -> None:
        self._log = log
        self._counters = _counters_of(pid)
        self._before = self._count()
        self._killed: set[int] = set()

    def killed(self, pid: int) -> bool:
        """Whether ``pid``, which SIGKILL has ended, was one of those."""
        if pid not in self._killed:
            named = _named_in(self._log)
            counted = self._count() > self._before
            self._before += counted  # it explains the end of one process, not of all that are killed from now on
            if counted if named is None else pid in named:
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
            return [ROOT / at / f"memory.events{only}" for only in (".local", "") for at in (path, "")]
    return []


def _named_in(log: Path) -> set[int] | None:
    """The processes that the kernel's log names; None if it may not be read, or has other process ids."""
    if Path("/proc/self/ns/pid").readlink().name != _FIRST_NAMESPACE:
        return None
    named: set[int] = set()
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        while True:
            with suppress(BrokenPipeError):  # the kernel has just replaced this record by a new one
                record = os.read(descriptor, _RECORD_BYTES)
                named |= {int(found[1]) for found in _KILLED.finditer(record)}
    except BlockingIOError:  # that was all
        return named
    except OSError:
        return None
    finally:
        os.close(descriptor)
