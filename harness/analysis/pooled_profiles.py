"""Pools several profiles at one machine speed; the CPU time that a sample represents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.record.measurement import FunctionSamples, PhaseProfile

Floats = npt.NDArray[np.float64]

NOTHING = FunctionSamples(own=0, total=0)
"""Of a function that was not sampled."""


def pooled(profiles: Sequence[PhaseProfile]) -> PhaseProfile:
    """All samples together: each function's CPU time per request of all the requests."""
    requests = sum(profile.requests for profile in profiles)
    functions: dict[str, FunctionSamples] = {}
    for key in {key: None for profile in profiles for key in profile.functions}:
        seen = [(profile, profile.functions[key]) for profile in profiles if key in profile.functions]
        known = [(profile.spans - 1, each.dispersion) for profile, each in seen if each.dispersion is not None]
        degrees = sum(weight for weight, _ in known)
        functions[key] = FunctionSamples(
            own=sum(each.own for _, each in seen),
            total=sum(each.total for _, each in seen),
            cpu_ms=sum((each.cpu_ms or 0.0) * profile.requests for profile, each in seen) / requests,
            dispersion=sum(weight * each for weight, each in known) / degrees if degrees else None,
            caller=max(seen, key=lambda pair: pair[1].total)[1].caller,
        )
    samples = sum(profile.samples for profile in profiles)
    return PhaseProfile(
        samples=samples,
        rate_hz=profiles[0].rate_hz,
        requests=requests,
        functions=functions,
        spans=sum(profile.spans - 1 for profile in profiles) + 1,
        sample_ms=sum((profile.sample_ms or 0.0) * profile.samples * profile.requests for profile in profiles)
        / requests
        / samples,
        clock_ms=sum((profile.clock_ms or 0.0) * profile.requests for profile in profiles) / requests,
        busy=max((profile.busy or 0.0 for profile in profiles), default=None),
        python=profiles[0].python,
    )


def slowed(profile: PhaseProfile, by: float) -> PhaseProfile:
    """The profile of a machine on which everything takes ``by`` times as long."""

    def longer(each_ms: float | None) -> float | None:
        return None if each_ms is None else by * each_ms

    functions = {
        key: seen.model_copy(update={"cpu_ms": longer(seen.cpu_ms)}) for key, seen in profile.functions.items()
    }
    times = {"sample_ms": longer(profile.sample_ms), "clock_ms": longer(profile.clock_ms)}
    return profile.model_copy(update={"functions": functions, **times})


def totals(profile: PhaseProfile, keys: Sequence[str]) -> Floats:
    return np.array([profile.functions.get(key, NOTHING).total for key in keys], dtype=np.float64)


def own_samples(profile: PhaseProfile, keys: Sequence[str]) -> Floats:
    return np.array([profile.functions.get(key, NOTHING).own for key in keys], dtype=np.float64)


def sample_ms(profile: PhaseProfile, key: str) -> float:
    """The CPU time that a sample of the function represents, which differs between processes, so between functions."""
    seen = profile.functions.get(key)
    if seen is None or not seen.total or not seen.cpu_ms:
        return profile.sample_ms or 1.0
    return seen.cpu_ms / seen.total
