"""What the target's processes used, from which the metrics of the target are computed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from harness.metrics.theil_sen import Floats, theil_sen

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
    reference_ms: Floats = field(default_factory=lambda: np.empty(0))
    """Shape ``(n,)``: how long reference work took meanwhile, NaN where that was not measured; or empty."""

    @cached_property
    def speed(self) -> tuple[float, TargetUsage] | None:
        """How long reference work took per request, in ms, and the usage if it had taken 1 ms all the time.

        A request then counts as many times as its second was slow, so that the CPU time over the requests is that of a
        machine which is always as fast. None: the speed of the machine is not known for half of the time.
        """
        known = np.isfinite(self.reference_ms)
        requests = self.requests[known] if len(known) else self.requests[:0]
        if not 2 * len(requests) > len(self.requests) or not requests.sum():
            return None
        counted = requests * self.reference_ms[known]
        return float(counted.sum() / requests.sum()), TargetUsage(self.cpu_s[known], counted)

    @cached_property
    def growth(self) -> tuple[float, float, float] | None:
        """The slope of the memory in bytes a minute, and the bounds of its 95 % interval; None: too few readings."""
        return growth_of(self.at_s, self.rss_bytes)


def growth_of(at_s: Floats, rss_bytes: Floats) -> tuple[float, float, float] | None:
    """The slope of memory in bytes a minute, and the bounds of its 95 % interval; None: too few readings.

    It is taken over blocks, medians of √m readings that follow each other. From second to second, memory follows from
    what it was before; blocks are nearly independent, as the slope's interval asks of its points.
    """
    if len(at_s) < FEWEST_READINGS:
        return None
    parts = len(at_s) // math.isqrt(len(at_s))
    at, rss = (_medians(values, parts) for values in (at_s, rss_bytes))
    return theil_sen(at / 60, rss)


def _medians(values: Floats, parts: int) -> Floats:
    return np.array([np.median(part) for part in np.array_split(values, parts)])
