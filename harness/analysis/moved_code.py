"""Which functions replace others: code that was renamed, moved, extracted or inlined has not grown."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis.pooled_profiles import NOTHING, Floats, sample_ms
from harness.record.measurement import FunctionSamples, PhaseProfile

_GONE = 0.1
"""The share of what it used that a function that is gone may still use."""
_SURELY = 1.96
"""Standard deviations of a difference between two counts."""


def replaced(now: PhaseProfile, base: PhaseProfile) -> dict[str, float]:
    """For each function that is new: how many of the baseline's samples it took over, so that nothing grew.

    A function that was renamed or moved stands where another one is gone: below the same caller, which may have been
    renamed itself. One that was taken out of another takes what that one used itself.
    """
    gone: dict[str | None, list[str]] = {}
    for key, seen in base.functions.items():
        kept = now.functions.get(key, NOTHING)
        if kept.total * sample_ms(now, key) < _GONE * seen.total * sample_ms(base, key):
            gone.setdefault(seen.caller, []).append(key)
    left = {key: float(base.functions[key].total) for keys in gone.values() for key in keys}
    lost = {
        key: max(0.0, seen.own - now.functions[key].own * sample_ms(now, key) / sample_ms(base, key))
        for key, seen in base.functions.items()
        if key in now.functions
    }
    credit: dict[str, float] = {}
    stands_for: dict[str | None, list[str]] = {}
    fresh = [key for key, seen in now.functions.items() if _is_new(seen, base.functions.get(key, NOTHING))]
    # Callers are sampled at least as often as what they call.
    for key in sorted(fresh, key=lambda key: -now.functions[key].total):
        caller = now.functions[key].caller
        wanted = now.functions[key].total * sample_ms(now, key) / sample_ms(base, key)
        taken = 0.0
        for above in dict.fromkeys([caller, *stands_for.get(caller, ())]):
            for other in gone.get(above, []):
                part = min(wanted - taken, left[other])
                if part > 0:
                    taken += part
                    left[other] -= part
                    stands_for.setdefault(key, []).append(other)
        if caller in lost:
            part = min(wanted - taken, lost[caller])
            taken += part
            lost[caller] -= part
        credit[key] = taken
    return credit


def moved_up(now: PhaseProfile, base: PhaseProfile, keys: Sequence[str]) -> Floats:
    """How many of the baseline's samples each function's callees have lost for sure: their code may stand in it now."""
    lost: dict[str, float] = {}
    for key, seen in base.functions.items():
        if seen.caller is not None:
            left = now.functions.get(key, NOTHING).total * sample_ms(now, key) / sample_ms(base, key)
            if left < _GONE * seen.total or seen.total - left > _SURELY * math.sqrt(seen.total + left):
                lost[seen.caller] = lost.get(seen.caller, 0.0) + seen.total - left
    return np.array([lost.get(key, 0.0) for key in keys])


def _is_new(now: FunctionSamples, base: FunctionSamples) -> bool:
    return base.total < _GONE * now.total
