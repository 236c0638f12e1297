"""What the target's processes used while they handled requests: what the metrics of the target are computed from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST_READINGS = 25
"""Five blocks: the pairs of fewer do not bound a slope."""


@dataclass(frozen=True, eq=False)
class TargetUsage:
    """One phase: arrays of shape ``(n,)`` from reading to reading, and ``(m,)`` of readings; empty if not sampled."""

    cpu_s: Floats
    """The CPU time that all processes of the target used, user and system."""
    requests: Floats
    """How many requests ended, whichever phase had started them."""
    at_s: Floats = field(default_factory=lambda: np.empty(0))
    """When the memory was read."""
    rss_bytes: Floats = field(default_factory=lambda: np.empty(0))
    """The resident memory of all processes of the target."""

    @cached_property
    def growth(self) -> Floats:
        """The slopes between all pairs of blocks of readings, in bytes a minute, ascending; empty: too few readings.

        A block is the median of √m readings that follow each other. Within one, memory follows from what it was a
        second ago; blocks are nearly independent, as Theil and Sen ask of their points.
        """
        if len(self.at_s) < FEWEST_READINGS:
            return np.empty(0)
        parts = len(self.at_s) // math.isqrt(len(self.at_s))
        at, rss = ([np.median(part) for part in np.array_split(each, parts)] for each in (self.at_s, self.rss_bytes))
        earlier, later = np.triu_indices(parts, 1)
        slopes = (np.take(rss, later) - np.take(rss, earlier)) / (np.take(at, later) - np.take(at, earlier))
        return np.sort(60 * slopes)
