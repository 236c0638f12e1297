"""A benchmark's rounds: what the value of a bench metric is computed from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.record.histogram import rank_of


class Memory(Protocol):
    """The memory of one call."""

    @property
    def peak_bytes(self) -> int: ...
    @property
    def allocations(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class RoundTimes:
    """The seconds that one call took in each of ``times`` (in the order they ran; at least one), and its memory."""

    times: npt.NDArray[np.float64]
    memory: Memory | None = None

    def quantile(self, q: float) -> float:
        return float(np.sort(self.times)[rank_of(q, len(self.times)) - 1])

    def mean(self) -> float:
        return float(self.times.mean())

    def minimum(self) -> float:
        return float(self.times.min())

    def maximum(self) -> float:
        return float(self.times.max())

    def deviation(self) -> float:
        """The sample standard deviation; 0 for a single round."""
        n = len(self.times)
        return math.sqrt(float(np.square(self.times - self.times.mean()).sum()) / (n - 1)) if n > 1 else 0.0
