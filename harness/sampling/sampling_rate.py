"""How often py-spy may sample, from what its samples cost."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from harness.sampling.tree_clock import cpu_clock_s


class SamplingRate:
    """The rate that a share of ``cores`` allows, between ``min_hz`` and ``max_hz``.

    It is ``max_hz`` until the first cost is known, and without ``cores`` always: for use while nothing is measured.

    The ``targets`` of a duet share it, and it stays what their first costs allow: a build that is sampled more often
    would be the slower one.
    """

    def __init__(self, max_hz: int, cores: float | None, *, share: float, min_hz: int, targets: int = 1) -> None:
        self._max_hz = max_hz
        self._min_hz = min(min_hz, max_hz)
        self._targets = targets
        self._allowed_cores = math.inf if cores is None else share * cores
        self._costs_s: dict[int, float] = {}
        """Of one sample, by target."""

    @property
    def hz(self) -> int:
        """Samples per second, from what the last ones cost."""
        cost_s = sum(self._costs_s.values())
        if not self.is_known or not cost_s:
            return self._max_hz
        return int(min(max(self._allowed_cores / cost_s, self._min_hz), self._max_hz))

    @property
    def is_known(self) -> bool:
        """Whether it follows from what samples cost."""
        return len(self._costs_s) == self._targets

    def update(self, cores: float, hz: int, target: int = 0) -> None:
        """Sampling ``target`` (any number) ``hz`` times per second has taken ``cores`` (CPU seconds per second)."""
        if self._targets == 1 or not self.is_known:
            self._costs_s[target] = cores / hz

    def is_too_expensive(self, cores: float) -> bool:
        """Whether sampling took so much CPU time that the report must warn: more than three times its share."""
        return cores > 3 * self._allowed_cores / self._targets


@dataclass(frozen=True, slots=True)
class CpuTime:
    """The CPU time that all threads of a process, ended ones too, had used at a moment, both in seconds."""

    at_s: float
    taken_s: float

    @classmethod
    def of(cls, pid: int) -> CpuTime | None:
        """Now; None if the process has ended."""
        try:
            return cls(time.monotonic(), cpu_clock_s(pid))
        except OSError:
            return None

    def cores_since(self, begin: CpuTime) -> float:
        """CPU seconds per second from ``begin`` until now."""
        return (self.taken_s - begin.taken_s) / (self.at_s - begin.at_s)
