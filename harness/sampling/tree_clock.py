"""The CPU time of a changing set of processes, including those that have ended.

A process's CPU clock (clock_getcpuclockid(3)) counts user and system time of all its threads, also of those that have
ended, which their ``schedstat`` files do not. The times in ``/proc/PID/stat`` come in ticks of 10 ms, too coarse for a
second. Only the time of children that were waited for has no finer clock; it is a sum, so its error does not add up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

_PROCESS_CPU_CLOCK = 2
"""``CPUCLOCK_SCHED``: the lowest three bits of a process's clock id (make_process_cpuclock in linux/posix-timers.h)."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_MISSED_S = 1.0
"""A child may have started this long before a reading, but after the scan of all processes that preceded it."""


class _Known(NamedTuple):
    """A process, and the CPU seconds it has used: by itself, and by its children that it waited for, and theirs."""

    parent: int
    started_s: float
    """Since the machine booted."""
    own: float
    children: float


class TreeClock:
    """Adds up what the processes of a tree use. Each call of :meth:`gained` says what it was since the one before.

    A process that ended is found again in what its parent, or the parent's parent, has waited for. If nobody waited
    for it, its last time is lost. No time is counted twice.
    """

    def __init__(self) -> None:
        self._before: dict[int, _Known] = {}
        self._read_s: float | None = None

    def gained(self, pids: Iterable[int]) -> float:
        """CPU seconds since the last call; a process counts from its start if it started after that."""
        before, since_s = self._before, self._read_s
        self._read_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        now = {pid: known for pid in pids if (known := _read(pid)) is not None}
        self._before = now
        if since_s is None:
            return 0.0
        ended = _ended(before, now)
        gained = 0.0
        for pid, process in now.items():
            earlier = before.get(pid)
            if earlier is not None and earlier.started_s == process.started_s:
                # What was counted while its children lived is in its sum once it has waited for them.
                waited_for = process.children - earlier.children - ended.get(pid, 0.0)
                gained += max(0.0, process.own - earlier.own) + max(0.0, waited_for)
            elif process.started_s >= since_s - (_MISSED_S if process.parent in before else _TICK_S):
                gained += process.own + process.children
        return gained

    def used_s(self, pid: int) -> float:
        """CPU seconds that a process had used by the last call of :meth:`gained`, without its children's."""
        return self._before[pid].own if pid in self._before else 0.0


def _ended(before: dict[int, _Known], now: dict[int, _Known]) -> dict[int, float]:
    """What processes that have ended since had used by then, by their nearest ancestor that goes on."""
    ended: dict[int, float] = {}
    for pid, process in before.items():
        if pid in now:
            continue
        heir = process.parent
        while heir not in now and heir in before:
            heir = before[heir].parent
        ended[heir] = ended.get(heir, 0.0) + process.own + process.children
    return ended


def _read(pid: int) -> _Known | None:
    """None if it has ended."""
    fields = _stat(pid)
    if fields is None:
        return None
    user, system, children_user, children_system = map(int, fields[11:15])
    try:
        own = cpu_clock_s(pid)
    except OSError:  # it has ended, or the kernel hides other users' clocks
        own = (user + system) * _TICK_S
    return _Known(int(fields[1]), int(fields[19]) * _TICK_S, own, (children_user + children_system) * _TICK_S)


def cpu_clock_s(pid: int) -> float:
    """The CPU seconds that all threads of a process, ended ones too, have used. Raises ``OSError``."""
    return time.clock_gettime(~pid << 3 | _PROCESS_CPU_CLOCK)


def own_cpu_s(pid: int) -> float | None:
    """The CPU seconds that a process has used, without its children's; None if it has ended."""
    known = _read(pid)
    return None if known is None else known.own


def parent_of(pid: int) -> int | None:
    """The parent's process id; None if ``pid`` has ended."""
    fields = _stat(pid)
    return None if fields is None else int(fields[1])


def _stat(pid: int) -> list[bytes] | None:
    """proc_pid_stat(5) from the third field on, after the name, which may hold anything."""
    text = read_proc(f"/proc/{pid}/stat")
    return None if text is None else text.rpartition(b")")[2].split()


def read_proc(path: str) -> bytes | None:
    """A small file of the kernel's, in a quarter of the time that a file object takes; None if its process ended."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return None
    finally:
        os.close(descriptor)
