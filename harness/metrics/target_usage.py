"""What the target's processes used while they handled requests: what the metrics of the target are computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TargetUsage:
    """One phase, from reading to reading. Arrays of shape ``(n,)``; empty where the target was not sampled."""

    cpu_s: Floats
    """The CPU time that all processes of the target used, user and system."""
    requests: Floats
    """How many requests ended, whichever phase had started them."""
