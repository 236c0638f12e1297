"""Names the processes that take the cores from the target, while they do."""

from __future__ import annotations

from collections.abc import Container
from heapq import nlargest

from harness.sampling.process_tree import all_pids, program_of
from harness.sampling.tree_clock import own_cpu_s

_MOST = 8
_LONGEST_S = 3.0
"""An older look says nothing of this moment."""


class OtherProcesses:
    """What the processes used that are neither the target's nor the harness's.

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
