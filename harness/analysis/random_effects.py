"""How much each run of a baseline counts: by its own noise and by how runs differ (random effects)."""

from __future__ import annotations

import numpy as np

from harness.analysis.samples import Floats


def weights(values: Floats, deviations: Floats) -> Floats:
    """The weight of each run in the mean, 1 together; ``deviations`` are the standard deviations within the runs.

    A run's variance is its own and that between runs; the latter is estimated from all of them as DerSimonian & Laird
    (1986, Controlled Clinical Trials 7) do. A run whose own noise cannot be bounded counts only beside others of its
    kind. If runs differ much more than their own noise explains, all count the same.
    """
    own = deviations**2
    bounded = np.isfinite(own)
    if not bounded.any() or len(values) < 2:
        return np.full(len(values), 1 / len(values))
    precision = np.where(bounded, 1 / np.where(bounded, own, 1.0), 0.0)
    total = precision.sum()
    mean = (precision * np.where(bounded, values, 0.0)).sum() / total
    scatter = (precision * np.where(bounded, values - mean, 0.0) ** 2).sum()
    scale = total - (precision**2).sum() / total
    between = max(0.0, (scatter - (bounded.sum() - 1)) / scale) if scale > 0 else 0.0
    found: Floats = np.where(bounded, 1 / (np.where(bounded, own, 1.0) + between), 0.0)
    found /= found.sum()
    return found
