"""How often py-spy may look at a target: as often as is asked for, unless its looking would bend what is measured.

At each look py-spy reads the stacks of all threads, also of those that wait, by some ten system calls each: what that
costs depends on the target. So it is measured while it goes on, and the rate follows from it. (What a rate takes from
a target: ``benchmarks/sampling.py``.)
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass

import psutil

CPU_SHARE = 0.05
"""How much of the machine's CPU time looking may take: on two cores 0.1 of a core. (A look at the embedded shop, which
has 40 threads, takes 2 to 5 ms there: 20 to 50 looks a second.)"""
INITIAL_HZ = 20
"""Until it is known what a look costs."""
MIN_HZ = 10
"""What a profile needs to be worth having; a target with very many threads then costs more than ``CPU_SHARE``."""
_FAR_OFF = 1.5
_SCHEDULED = 2
"""``clock_getcpuclockid(3)`` makes the number of a process's clock of its own and this (CPUCLOCK_SCHED)."""


class SamplingRate:
    """The rate that ``CPU_SHARE`` of ``cores`` allows, never more than ``max_hz``.

    Without ``cores`` it is ``max_hz``, whatever that costs: where nothing is measured meanwhile.
    """

    def __init__(self, max_hz: int, cores: int | None) -> None:
        self._max_hz = max_hz
        self._allowed_cores = math.inf if cores is None else CPU_SHARE * cores
        self._sample_cost_s: float | None = 0.0 if cores is None else None

    @property
    def hz(self) -> int:
        """Looks a second, from what the last ones have cost."""
        if self._sample_cost_s is None:
            return min(INITIAL_HZ, self._max_hz)
        possible = self._allowed_cores / self._sample_cost_s if self._sample_cost_s else self._max_hz
        return int(min(max(possible, MIN_HZ), self._max_hz))

    def update(self, cores: float, hz: int) -> None:
        """Looking ``hz`` times a second has taken ``cores`` (CPU seconds a second)."""
        self._sample_cost_s = cores / hz

    def is_far_from(self, hz: int) -> bool:
        """Whether to begin again at the new rate is worth the samples, and the start, that it costs."""
        return not hz / _FAR_OFF < self.hz < hz * _FAR_OFF

    def is_too_expensive(self, cores: float) -> bool:
        """Whether looking took so much that a reader of the run's figures must know: twice what it may."""
        return cores > 2 * self._allowed_cores


@dataclass(frozen=True, slots=True)
class CpuTime:
    """The CPU time that a process had taken until a moment, both in seconds."""

    at_s: float
    taken_s: float

    @classmethod
    def of(cls, pid: int) -> CpuTime | None:
        """Now; None where there is no such process any more."""
        try:
            return cls(time.monotonic(), _taken_s(pid))
        except (OSError, psutil.Error):
            return None

    def cores_since(self, begin: CpuTime) -> float:
        """CPU seconds a second from ``begin`` until now."""
        return (self.taken_s - begin.taken_s) / (self.at_s - begin.at_s)


def _taken_s(pid: int) -> float:
    """Of all its threads, those that have ended too: Linux has a clock of that for each process, to the nanosecond."""
    if sys.platform == "linux":
        return time.clock_gettime(~pid << 3 | _SCHEDULED)
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
