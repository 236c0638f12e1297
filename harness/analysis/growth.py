"""Tests for every function whether its CPU time per request grew, and controls how many are named by chance.

Samples of a function are counts. Given how many there are on both sides together, those of this run are binomial if
nothing changed (the conditional test of two Poisson rates: Przyborowski & Wilenski 1940, Biometrika 31). Three things
vary more than that, so all counts are divided by the ratio of the variances:

- samples near each other are alike: the *dispersion* between a profile's spans. A dozen spans show it badly for one
  function, so each function's is drawn towards that of all (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3, for genes);
- functions differ from run to run (memory layout, caches): from the baseline's runs, drawn towards a prior;
- the machine is faster or slower for all functions alike. A function must have grown by more than everything else, and
  by more than the median of all functions. Shares of samples alone would name what did not change whenever something
  else got faster.

Functions that were always sampled together are one hypothesis. The false discovery rate over all hypotheses is
controlled by Benjamini & Hochberg (1995, J. R. Stat. Soc. B 57).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from harness.analysis.functions import parse_frame
from harness.record.measurement import FunctionSamples, PhaseProfile

Floats = npt.NDArray[np.float64]

BETWEEN_RUNS = 0.03
"""By how much a function's cost differs between runs of one build where the baseline does not show it: the relative
standard deviation, without what all functions have in common. An assumption; it has not been measured."""
MACHINE = 0.1
"""The same of all functions together: how much slower or faster a machine usually is from run to run."""
_PRIOR_DEGREES = 8
"""How many runs or spans a prior is worth."""
_UNKNOWN_DISPERSION = 2.0
"""Of phases with too few spans."""
_FEWEST_SAMPLES = 10
"""Of a function whose change counts for that of the machine, on each side."""
_FEWEST_FUNCTIONS = 3
_GONE = 0.1
_EQUAL_VARIANCE = 0.02
"""Functions that are known better than this count alike, or the most frequent one would be the median by itself."""
_MEDIAN = 1.2533
"""The standard error of a median, over that of a mean (sqrt(pi / 2))."""
_TYPICAL = 0.1
_SURELY_FOUND = 4.4
"""Standard errors: 3.5 to be sure among some dozens of functions, and 0.84 for four of five times."""
_Z = 1.959963984540054
_NOTHING = FunctionSamples(own=0, total=0)


@dataclass(frozen=True, slots=True)
class Growth:
    """One function's CPU time per request (ms) in the baseline, at this run's speed of the machine, and in this run."""

    key: str
    base_ms: float
    now_ms: float
    interval_ms: tuple[float, float]
    """95 % interval of the growth."""
    p: float
    """Of so many samples, or more, if it had not grown."""
    base_share: float
    now_share: float
    sample_ms: float
    """What a sample of it stands for in this run."""

    @property
    def growth_ms(self) -> float:
        return self.now_ms - self.base_ms

    @property
    def newness(self) -> float:
        """How much of its cost is new: 1 for a function that was not there before."""
        return self.growth_ms / self.now_ms


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


def growths_of(now: PhaseProfile, before: Sequence[PhaseProfile]) -> list[Growth]:
    """Every function with a file that was sampled in this run, against the baseline's runs. All profiles are scaled."""
    base = pooled(before)
    keys = [key for key in now.functions if parse_frame(key).file]
    credit = replaced(now, base)
    count, old = _totals(now, keys), _totals(base, keys) + np.array([credit.get(key, 0.0) for key in keys])
    unit = np.array([_sample_ms(now, key) for key in keys])
    old_unit = np.array([_sample_ms(base, key) for key in keys])
    share, old_share = count / now.samples, old / base.samples
    dispersion = _dispersions(now, base, keys)
    slower, slower_variance = _slower(now, base, count, old, machine_change(now, base, len(before)))
    between = _between_runs(keys, before) ** 2 * (1 + 1 / len(before)) + dispersion * slower_variance
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.where(old > 0, count * old / (count + old), 0.0)
    variance_ratio = np.maximum(dispersion + between * both, 1e-9)
    # What a sample stands for is in inverse proportion to how many there are of the same cost.
    exposure, old_exposure = np.exp(slower) / unit, 1 / old_unit
    p = betainc(count / variance_ratio, old / variance_ratio + 1, exposure / (exposure + old_exposure))
    base_ms, now_ms = old * old_unit * np.exp(slower), count * unit
    sampling = dispersion * (np.maximum(count, 1) * unit**2 + np.maximum(old, 1) * old_unit**2)
    reach = _Z * np.sqrt(sampling + between * np.minimum(base_ms, now_ms) ** 2)
    return [
        Growth(
            key=key,
            base_ms=float(base_ms[at]),
            now_ms=float(now_ms[at]),
            interval_ms=(float(now_ms[at] - base_ms[at] - reach[at]), float(now_ms[at] - base_ms[at] + reach[at])),
            p=float(p[at]),
            base_share=float(old_share[at]),
            now_share=float(share[at]),
            sample_ms=float(unit[at]),
        )
        for at, key in enumerate(keys)
    ]


def _slower(now: PhaseProfile, base: PhaseProfile, count: Floats, old: Floats, machine: float) -> tuple[Floats, Floats]:
    """By how much everything else is slower, for each function: the logarithm of the factor, and its variance.

    The variance is that of independent samples. All samples outside a function show it best. Where another function got
    faster as well, they show too little, so it is at least the median change of all functions (``machine``); and at
    least none, or what did not change would have grown wherever something else got faster.
    """
    rest, old_rest = now.samples - count, np.maximum(base.samples - old, 0)
    whole = math.log(now.samples * _sample_ms(now, "") / (base.samples * _sample_ms(base, "")))
    known = (rest > 0) & (old_rest > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(known, np.log(rest * _sample_ms(now, "") / (old_rest * _sample_ms(base, ""))), whole)
        variance = np.where(known, 1 / rest + 1 / old_rest, 0.0)
    return np.maximum(np.maximum(change, machine), 0.0), variance


def discovered(growths: Sequence[Growth], rate: float) -> set[str]:
    """The keys that are called grown if a share of at most ``rate`` of them may be so by chance."""
    hypotheses: dict[tuple[float, float], list[Growth]] = {}
    for growth in growths:
        hypotheses.setdefault((growth.now_share, growth.base_share), []).append(growth)
    ordered = sorted(hypotheses.values(), key=lambda same: same[0].p)
    level = -1.0
    for number, same in enumerate(ordered, 1):
        if same[0].p <= rate * number / len(ordered):
            level = same[0].p
    return {growth.key for growth in growths if growth.p <= level}


def smallest_growth(now: PhaseProfile, before: Sequence[PhaseProfile]) -> float:
    """By how much a function must grow to be found in four of five runs: a share of the CPU time of a request.

    For a function that had a tenth of the samples.
    """
    base = pooled(before)
    count, old = _TYPICAL * now.samples, _TYPICAL * base.samples
    usual = float(np.median(_dispersions(now, base, list(now.functions))))
    error = math.sqrt(usual * (1 / count + 1 / old) + BETWEEN_RUNS**2 * (1 + 1 / len(before)))
    return _TYPICAL * math.expm1(_SURELY_FOUND * error)


def machine_change(now: PhaseProfile, base: PhaseProfile, runs: int) -> float:
    """How much slower everything was than in the baseline: the logarithm of the factor.

    The weighted median over functions of what they used themselves, without what they call: these parts do not overlap.
    """
    changes, variances = [], []
    for key, seen in now.functions.items():
        earlier = base.functions.get(key, _NOTHING)
        if min(seen.own, earlier.own) >= _FEWEST_SAMPLES:
            changes.append(math.log(seen.own * _sample_ms(now, key) / (earlier.own * _sample_ms(base, key))))
            sampling = (seen.dispersion or 1.0) / seen.own + (earlier.dispersion or 1.0) / earlier.own
            variances.append(sampling + BETWEEN_RUNS**2 * (1 + 1 / runs))
    if len(changes) < _FEWEST_FUNCTIONS:
        return 0.0
    weights = 1 / (np.array(variances) + _EQUAL_VARIANCE)
    order = np.argsort(changes)
    cumulated = np.cumsum(weights[order])
    at = int(np.searchsorted(cumulated, cumulated[-1] / 2))
    error = _MEDIAN * math.sqrt((weights**2 * variances).sum()) / cumulated[-1]
    # What few samples show is drawn towards none: machines seldom change by much.
    return float(MACHINE**2 / (MACHINE**2 + error**2) * np.array(changes)[order][at])


def replaced(now: PhaseProfile, base: PhaseProfile) -> dict[str, float]:
    """For each function that is new: how many of the baseline's samples it took over, so that nothing grew.

    A function that was renamed or moved stands where another one is gone: below the same caller, which may have been
    renamed itself. One that was taken out of another takes what that one used itself.
    """
    gone: dict[str | None, list[str]] = {}
    for key, seen in base.functions.items():
        kept = now.functions.get(key, _NOTHING)
        if kept.total * _sample_ms(now, key) < _GONE * seen.total * _sample_ms(base, key):
            gone.setdefault(seen.caller, []).append(key)
    left = {key: float(base.functions[key].total) for keys in gone.values() for key in keys}
    lost = {
        key: max(0.0, seen.own - now.functions[key].own * _sample_ms(now, key) / _sample_ms(base, key))
        for key, seen in base.functions.items()
        if key in now.functions
    }
    credit: dict[str, float] = {}
    stands_for: dict[str | None, list[str]] = {}
    fresh = [key for key, seen in now.functions.items() if _is_new(seen, base.functions.get(key, _NOTHING))]
    # Callers are sampled at least as often as what they call.
    for key in sorted(fresh, key=lambda key: -now.functions[key].total):
        caller = now.functions[key].caller
        wanted = now.functions[key].total * _sample_ms(now, key) / _sample_ms(base, key)
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


def _is_new(now: FunctionSamples, base: FunctionSamples) -> bool:
    return base.total < _GONE * now.total


def _totals(profile: PhaseProfile, keys: Sequence[str]) -> Floats:
    return np.array([profile.functions.get(key, _NOTHING).total for key in keys], dtype=np.float64)


def _sample_ms(profile: PhaseProfile, key: str) -> float:
    """What a sample of the function stands for: processes differ, and so do functions that run in some of them."""
    seen = profile.functions.get(key)
    if seen is None or not seen.total or not seen.cpu_ms:
        return profile.sample_ms or 1.0
    return seen.cpu_ms / seen.total


def _dispersions(now: PhaseProfile, base: PhaseProfile, keys: Sequence[str]) -> Floats:
    """Of each function, at least 1."""
    total, degrees = np.zeros(len(keys)), np.zeros(len(keys))
    for profile in (now, base):
        for at, key in enumerate(keys):
            seen = profile.functions.get(key)
            if seen is not None and seen.dispersion is not None:
                total[at] += (profile.spans - 1) * seen.dispersion
                degrees[at] += profile.spans - 1
    known = degrees > 0
    if not known.any():
        return np.full(len(keys), _UNKNOWN_DISPERSION)
    often = known & (_totals(now, keys) + _totals(base, keys) >= 2 * _FEWEST_SAMPLES)
    usual = float(np.median((total / np.maximum(degrees, 1))[often if often.any() else known]))
    return np.asarray(np.maximum(1.0, (total + _PRIOR_DEGREES * max(1.0, usual)) / (degrees + _PRIOR_DEGREES)))


def _between_runs(keys: Sequence[str], before: Sequence[PhaseProfile]) -> Floats:
    """The relative standard deviation of each function's cost between runs."""
    squares = np.full(len(keys), _PRIOR_DEGREES * BETWEEN_RUNS**2)
    if len(before) < 2:
        return np.asarray(np.sqrt(squares / _PRIOR_DEGREES))
    ms = np.array([[_totals(run, [key])[0] * _sample_ms(run, key) for key in keys] for run in before])
    counts = np.array([_totals(run, keys) for run in before])
    seen = (counts >= _FEWEST_SAMPLES).all(axis=0)
    degrees = np.full(len(keys), float(_PRIOR_DEGREES))
    if seen.any():
        logs = np.log(ms[:, seen])
        logs -= np.median(logs, axis=1, keepdims=True)
        extra = logs.var(axis=0, ddof=1) - (1 / counts[:, seen]).mean(axis=0)
        squares[seen] += (len(before) - 1) * np.maximum(0.0, extra)
        degrees[seen] += len(before) - 1
    return np.asarray(np.sqrt(squares / degrees))
