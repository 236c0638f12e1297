"""How long the target's threads were ready to run but did not run, for want of a core or of CPU quota."""

from __future__ import annotations

import os
from collections.abc import Iterable

from harness.control_groups import quota_files, throttled_s
from harness.sampling.tree_clock import read_proc


class RunQueueMeter:
    """Adds up the run-queue delay of all threads (schedstat, 2nd field); 0 on a kernel without CONFIG_SCHED_INFO."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, str], int] = {}

    def waited_s(self, pids: Iterable[int]) -> float:
        """Seconds since the last call, all threads together. What a thread waited before it ended is lost."""
        now = {(pid, thread): delay for pid in pids for thread, delay in _delays_ns(pid)}
        before, self._before = self._before, now
        return sum(max(0, delay - before.get(key, 0)) for key, delay in now.items()) / 1e9


class QuotaMeter:
    """How long a process's control group, or one above it, was throttled because its CPU quota was used up."""

    def __init__(self, pid: int) -> None:
        self._files = list(quota_files(pid))
        self._before = [throttled_s(file) for file in self._files]

    def throttled_s(self) -> float:
        """Seconds since the last call, of the group that was throttled longest; added up over cores."""
        before, self._before = self._before, [throttled_s(file) for file in self._files]
        return max((now - then for then, now in zip(before, self._before, strict=True)), default=0.0)


def _delays_ns(pid: int) -> Iterable[tuple[str, int]]:
    try:
        threads = [entry.name for entry in os.scandir(f"/proc/{pid}/task")]
    except OSError:
        return  # it has ended
    for thread in threads:
        fields = (read_proc(f"/proc/{pid}/task/{thread}/schedstat") or b"").split()
        if len(fields) > 1:
            yield thread, int(fields[1])
