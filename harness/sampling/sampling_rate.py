"""How often to sample: as often as a share of the machine's CPU time allows, from what samples have cost so far."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

CPU_SHARE = 0.05
"""The share of the machine's CPU time that sampling may take: on two cores 0.1 of a core. (A sample of the embedded
shop, which has 40 threads, takes 2 to 5 ms there: 20 to 50 samples per second.)"""
INITIAL_HZ = 20
"""Until the cost of a sample is known."""
MIN_HZ = 10
"""What a useful profile needs. A target with very many threads then costs more than ``CPU_SHARE``."""
_FAR_OFF = 1.5
_SCHEDULED = 2
"""CPUCLOCK_SCHED, of which ``clock_getcpuclockid(3)`` makes the id of a process's CPU clock."""


class SamplingRate:
    """The rate that ``CPU_SHARE`` of ``cores`` allows, never more than ``max_hz``.

    Without ``cores`` it is ``max_hz``, whatever that costs: for use while nothing is measured.

    The ``targets`` of a duet share it, and it stays what their first costs allow: a build that is sampled more often
    would be the slower one.
    """

    def __init__(self, max_hz: int, cores: int | None, targets: int = 1) -> None:
        self._max_hz = max_hz
        self._targets = targets
        self._allowed_cores = math.inf if cores is None else CPU_SHARE * cores
        self._costs_s: dict[int, float] = {}
        """Of one sample, by target."""

    @property
    def is_known(self) -> bool:
        """Whether it follows from what samples cost."""
        return len(self._costs_s) == self._targets or self._allowed_cores == math.inf

    @property
    def hz(self) -> int:
        """Samples per second, from what the last ones cost."""
        if not self.is_known:
            return min(INITIAL_HZ, self._max_hz)
        cost_s = sum(self._costs_s.values())
        possible = self._allowed_cores / cost_s if cost_s else self._max_hz
        return int(min(max(possible, MIN_HZ), self._max_hz))

    def update(self, cores: float, hz: int, target: int = 0) -> None:
        """Sampling ``target`` (any number) ``hz`` times per second has taken ``cores`` (CPU seconds per second)."""
        if self._targets == 1 or not self.is_known:
            self._costs_s[target] = cores / hz

    def is_far_from(self, hz: int) -> bool:
        """Whether starting again at the new rate is worth the samples, and the start, that it costs."""
        return not hz / _FAR_OFF < self.hz < hz * _FAR_OFF

    def is_too_expensive(self, cores: float) -> bool:
        """Whether sampling took so much that a reader of the figures must know: twice its share."""
        return cores > 2 * self._allowed_cores / self._targets


@dataclass(frozen=True, slots=True)
class CpuTime:
    """The CPU time that all threads of a process, ended ones too, had used at a moment, both in seconds."""

    at_s: float
    taken_s: float

    @classmethod
    def of(cls, pid: int) -> CpuTime | None:
        """Now; None if the process has ended."""
        try:
            return cls(time.monotonic(), time.clock_gettime(~pid << 3 | _SCHEDULED))
        except OSError:
            return None

    def cores_since(self, begin: CpuTime) -> float:
        """CPU seconds per second from ``begin`` until now."""
        return (self.taken_s - begin.taken_s) / (self.at_s - begin.at_s)
