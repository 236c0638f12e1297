"""Measures how much CPU a worker used, and how much it needed but did not get.

CPU use alone does not show that the generator was the bottleneck: if a neighbour, a quota or the hypervisor takes the
cores, a worker at 40 % may have had work to do all the time. The kernel counts the time it had to wait.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from harness.control_groups import ROOT, quota_files, throttled_s


class CpuShares(NamedTuple):
    """Shares of the time since the reading before; see :class:`harness.record.journal_entries.WorkerSecond`."""

    used: float
    starved: float
    throttled: float
    stolen: float


class CpuMeter:
    """Measures this process. What the kernel does not report (no schedstat, no cgroup with a quota) counts as 0.

    ``proc`` and ``cgroup_root`` are where the kernel's files are mounted.
    """

    def __init__(self, proc: Path = Path("/proc"), cgroup_root: Path = ROOT) -> None:
        self._proc = proc
        self._quotas = list(quota_files("self", proc, cgroup_root))
        self._before = self._read()

    def read(self) -> CpuShares:
        """The shares since the last call, or since construction."""
        now = self._read()
        before, self._before = self._before, now
        elapsed_s = max(now.at_s - before.at_s, 1e-6)
        throttled_s = max((b - a for a, b in zip(before.throttled_s, now.throttled_s, strict=True)), default=0.0)
        machine = now.machine_ticks - before.machine_ticks
        return CpuShares(
            used=(now.used_s - before.used_s) / elapsed_s,
            starved=_share(now.starved_s - before.starved_s, elapsed_s),
            # The kernel adds this up over the cores on which the group was throttled.
            throttled=_share(throttled_s, elapsed_s),
            stolen=_share(now.stolen_ticks - before.stolen_ticks, machine) if machine else 0.0,
        )

    def _read(self) -> _Counters:
        stolen, machine = self._machine_ticks()
        return _Counters(
            time.perf_counter(),
            time.process_time(),
            self._starved_s(),
            [throttled_s(path) for path in self._quotas],
            stolen,
            machine,
        )

    def _starved_s(self) -> float:
        """How long the main thread, which does all of a worker's work, waited in a run queue (schedstat, 2nd field)."""
        try:
            return int((self._proc / "self/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError):
            return 0.0  # a kernel built without CONFIG_SCHED_INFO

    def _machine_ticks(self) -> tuple[int, int]:
        """Stolen ticks and all ticks of all cores (proc_stat(5): guest time is contained in user time)."""
        try:
            ticks = [int(field) for field in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        except OSError:
            return 0, 0  # a container that hides it
        return (ticks[7] if len(ticks) > 7 else 0), sum(ticks)


class _Counters(NamedTuple):
    """What the kernel has counted up to ``at_s``."""

    at_s: float
    used_s: float
    starved_s: float
    throttled_s: list[float]
    stolen_ticks: int
    machine_ticks: int


def _share(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0)
