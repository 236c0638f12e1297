"""What the processes used that are neither the target's nor the harness's, and which they are."""

from __future__ import annotations

from collections.abc import Container, Iterable
from heapq import nlargest

import psutil

from harness.sampling.process_tree import all_pids, program_of
from harness.sampling.tree_clock import TreeClock, own_cpu_s

_MOST = 8
_LONGEST_S = 3.0
"""An older look says nothing of this moment."""


class OthersClock:
    """Adds up the CPU time of all processes of the machine but the known ones."""

    def __init__(self) -> None:
        self._known = TreeClock()
        self._machine_s: float | None = None

    def gained(self, known: Iterable[int]) -> float:
        """CPU seconds since the last call, at least.

        The clocks of machine and processes are read one after another. Where all cores are busy, whoever reads them
        waits for a core in between, while the known processes go on. What was used meanwhile is nobody's.
        """
        begin_s = _in_processes_s()
        known_s = self._known.gained(known)
        before_s, self._machine_s = self._machine_s, _in_processes_s()
        return 0.0 if before_s is None else max(0.0, begin_s - before_s - known_s)


class OtherProcesses:
    """Names the processes that take the cores from the target, while they do.

    A look reads all processes of the machine, so it is made only in seconds in which others are busy.
    """

    def __init__(self) -> None:
        self._before: dict[int, float] = {}
        self._looked_s = 0.0

    def look(self, known: Container[int], now_epoch_s: float) -> dict[str, float]:
        """CPU since the look before (100 = one core) of those that used most, by name; nothing without such a look.

        Processes that began since then do not count, nor do those that are ``known``.
        """
        elapsed_s, self._looked_s = now_epoch_s - self._looked_s, now_epoch_s
        now = {pid: used_s for pid in all_pids() if pid not in known and (used_s := own_cpu_s(pid)) is not None}
        before, self._before = self._before, now
        if not 0 < elapsed_s <= _LONGEST_S:
            return {}
        gained_s = {pid: now[pid] - before[pid] for pid in now.keys() & before.keys()}
        found: dict[str, float] = {}
        for pid in nlargest(_MOST, gained_s, key=gained_s.__getitem__):
            if gained_s[pid] > 0 and (name := program_of(pid)):
                found[name] = found.get(name, 0.0) + 100 * gained_s[pid] / elapsed_s
        return found


def _in_processes_s() -> float:
    """What all cores together have spent in processes since the machine booted."""
    times = psutil.cpu_times()  # user time contains that of guests
    return float(times.user + times.nice + times.system)
