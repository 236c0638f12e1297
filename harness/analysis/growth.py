"""Tests whether the CPU time per request of each function grew, and controls false discoveries.

Samples of a function are counts. Given how many there are on both sides together, those of this run are binomial if
nothing changed (the conditional test of two Poisson rates: Przyborowski & Wilenski 1940, Biometrika 31). Three things
vary more than that, so all counts are divided by the ratio of the variances:

- samples near each other are alike: the *dispersion* between a profile's spans. A dozen spans show it badly for one
  function, so each function's is drawn towards that of all (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3, for genes);
- functions differ from run to run (memory layout, caches): from the runs of each side, drawn towards a prior;
- the machine is faster or slower for all functions alike. A function must have grown by more than everything else, and
  by more than the median of all other functions. Shares of samples alone would name what did not change whenever
  something else got faster.

A function is tested twice, with what it calls and without: in a function with half of the samples, its own lines may
have grown for certain where the whole may not. Functions that were always sampled together are one hypothesis. The
false discovery rate over all hypotheses is controlled (:mod:`harness.analysis.false_discoveries`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betainc

from harness.analysis.false_discoveries import highest_that_counts
from harness.analysis.functions import parse_frame
from harness.analysis.moved_code import moved_up, replaced
from harness.analysis.pooled_profiles import NOTHING, Floats, own_samples, pooled, sample_ms, totals
from harness.record.measurement import PhaseProfile

BETWEEN_RUNS = 0.03
"""By how much a function's cost differs between runs of one build where the baseline does not show it: the relative
standard deviation, without what all functions have in common. An assumption; it has not been measured."""
BETWEEN_QUEUES = 0.15
"""The same where threads queued for the GIL or a core on one side only: what they do where they release it then costs
more. It is what ``benchmarks/attribution.py`` saw between runs of its threaded server."""
MACHINE = 0.1
"""The same of all functions together: how much slower or faster a machine usually is from run to run."""
MACHINE_AT_EQUAL_SPEED = 0.05
"""The same where profiles are compared at equal speed of the machine (:mod:`harness.analysis.equal_speed`)."""
_PRIOR_DEGREES = 8
"""How many runs or spans a prior is worth."""
_UNKNOWN_DISPERSION = 2.0
"""Of phases with too few spans."""
_FEWEST_SAMPLES = 10
"""Of a function whose change counts for that of the machine, on each side."""
_FEWEST_FUNCTIONS = 3
_EQUAL_VARIANCE = 0.02
"""Functions that are known better than this count alike, or the most frequent one would be the median by itself."""
_MEDIAN = 1.2533
"""The standard error of a median, over that of a mean (sqrt(pi / 2))."""
_SURELY_FOUND = 4.4
"""Standard errors: 3.5 to be sure among some dozens of functions, and 0.84 for four of five times."""
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Growth:
    """One function's CPU time per request (ms) in the baseline, at this run's speed of the machine, and in this run."""

    key: str
    base_ms: float
    now_ms: float
    interval_ms: tuple[float, float]
    """95 % interval of the growth."""
    p: float
    """The probability of as many samples, or more, if it had not grown."""
    base_share: float
    now_share: float
    sample_ms: float
    """The CPU time that one of its samples represents in this run."""
    own: Growth | None = None
    """The same of its own code, without what it calls; None if it calls nothing."""

    @property
    def growth_ms(self) -> float:
        return self.now_ms - self.base_ms

    @property
    def error_ms(self) -> float:
        """By how much the growth may be overestimated: half of its interval."""
        return self.growth_ms - self.interval_ms[0]

    @property
    def newness(self) -> float:
        """How much of its cost is new: 1 for a function that was not there before."""
        return self.growth_ms / self.now_ms


def growths_of(
    runs: Sequence[PhaseProfile],
    before: Sequence[PhaseProfile],
    machine: float = MACHINE,
    between: float = BETWEEN_RUNS,
) -> list[Growth]:
    """Every function with a file that was sampled in these runs, against the baseline's. All profiles are scaled.

    ``machine``: by how much it usually is slower or faster, :data:`MACHINE` or :data:`MACHINE_AT_EQUAL_SPEED`.
    ``between``: by how much each function usually differs, :data:`BETWEEN_RUNS` or :data:`BETWEEN_QUEUES`.
    """
    now, base = pooled(runs), pooled(before)
    keys = [key for key in now.functions if parse_frame(key).file]
    credit = replaced(now, base)
    moved = np.array([credit.get(key, 0.0) for key in keys])
    count, own = totals(now, keys), own_samples(now, keys)
    of_machine = _machine_changes(now, base, _apart(runs, before), keys, machine)
    variance = _between_runs(keys, (runs, before), between) ** 2 * _apart(runs, before)
    tested = (now, base, variance, keys, of_machine)
    whole = _tested(*tested, count, totals(base, keys) + moved)
    of_own = _tested(
        *tested, own, own_samples(base, keys) + moved * own / np.maximum(count, 1) + moved_up(now, base, keys)
    )
    return [
        replace(each, own=its_own) if its_own.now_share < each.now_share else each
        for each, its_own in zip(whole, of_own, strict=True)
    ]


def _tested(
    now: PhaseProfile,
    base: PhaseProfile,
    between_runs: Floats,
    keys: Sequence[str],
    machine: Floats,
    count: Floats,
    old: Floats,
) -> list[Growth]:
    """Tests whether functions grew that have ``count`` samples in this run and ``old`` ones in the baseline.

    ``between_runs``: the variance of the logarithm of each one's change that is due to differences between runs.
    """
    unit = np.array([sample_ms(now, key) for key in keys])
    old_unit = np.array([sample_ms(base, key) for key in keys])
    dispersion = _dispersions(now, base, keys)
    slower, slower_variance = _slower(now, base, count, old, machine)
    between = between_runs + dispersion * slower_variance
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.where(old + count > 0, count * old / (count + old), 0.0)
    variance_ratio = np.maximum(dispersion + between * both, 1e-9)
    # The less CPU time a sample represents, the more samples the same cost gives.
    exposure, old_exposure = np.exp(slower) / unit, 1 / old_unit
    chance = exposure / (exposure + old_exposure)
    p = np.where(count > 0, betainc(np.maximum(count, 1) / variance_ratio, old / variance_ratio + 1, chance), 1.0)
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
            base_share=float(old[at] / base.samples),
            now_share=float(count[at] / now.samples),
            sample_ms=float(unit[at]),
        )
        for at, key in enumerate(keys)
    ]


def _slower(
    now: PhaseProfile, base: PhaseProfile, count: Floats, old: Floats, machine: Floats
) -> tuple[Floats, Floats]:
    """By how much everything else is slower, for each function: the logarithm of the factor, and its variance.

    The variance is that of independent samples. All samples outside a function show it best. Where another function got
    faster as well, they show too little, so it is at least the median change of all others (``machine``); and at
    least none, or what did not change would have grown wherever something else got faster.
    """
    rest, old_rest = now.samples - count, np.maximum(base.samples - old, 0)
    whole = math.log(now.samples * sample_ms(now, "") / (base.samples * sample_ms(base, "")))
    known = (rest > 0) & (old_rest > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(known, np.log(rest * sample_ms(now, "") / (old_rest * sample_ms(base, ""))), whole)
        variance = np.where(known, 1 / rest + 1 / old_rest, 0.0)
    return np.maximum(np.maximum(change, machine), 0.0), variance


def significant(growths: Sequence[Growth], rate: float) -> float:
    """The highest p at which growth is called so, if that is to be wrong for a share of at most ``rate``."""
    hypotheses = {(growth.now_share, growth.base_share): growth.p for growth in growths}
    return highest_that_counts(hypotheses.values(), rate)


def smallest_growth(
    runs: Sequence[PhaseProfile], before: Sequence[PhaseProfile], share: float, between: float = BETWEEN_RUNS
) -> float:
    """By how much a function must grow to be found in four of five runs: a share of the CPU time of a request.

    For a function that had that ``share`` of the samples. All others show how fast the machine was: of a function with
    much of the CPU time they show it badly. Samples are taken to be as alike as most are, not as in most functions:
    the many functions with few samples do not show it.
    """
    now, base = pooled(runs), pooled(before)
    keys = list(now.functions)
    usual = _middle(_dispersions(now, base, keys), own_samples(now, keys) + own_samples(base, keys))
    sampling = usual * sum(1 / (part * side.samples) for part in (share, 1 - share) for side in (now, base))
    error = math.sqrt(sampling + between**2 * _apart(runs, before))
    return share * math.expm1(_SURELY_FOUND * error)


def _apart(runs: Sequence[PhaseProfile], before: Sequence[PhaseProfile]) -> float:
    """The variance of the difference of the means of both sides, if that between runs is 1."""
    return 1 / len(runs) + 1 / len(before)


def _machine_changes(
    now: PhaseProfile, base: PhaseProfile, apart: float, keys: Sequence[str], machine: float
) -> Floats:
    """How much slower all others are than in the baseline, for each function: the logarithm of the factor.

    The weighted median over what they used themselves, without what they call: these parts do not overlap. One that
    uses much of the CPU time by itself is known so much better that it would be the median.
    """
    changes = _own_changes(now, base, apart)
    of_all = _median(list(changes.values()), machine)
    found = {own: _median([each for key, each in changes.items() if key != own], machine) for own in changes}
    return np.array([found.get(key, of_all) for key in keys])


def _own_changes(now: PhaseProfile, base: PhaseProfile, apart: float) -> dict[str, tuple[float, float]]:
    """Of each function that was sampled often enough: the logarithm of its change, and the variance of that."""
    changes = {}
    for key, seen in now.functions.items():
        earlier = base.functions.get(key, NOTHING)
        if min(seen.own, earlier.own) >= _FEWEST_SAMPLES:
            change = math.log(seen.own * sample_ms(now, key) / (earlier.own * sample_ms(base, key)))
            sampling = (seen.dispersion or 1.0) / seen.own + (earlier.dispersion or 1.0) / earlier.own
            changes[key] = change, sampling + BETWEEN_RUNS**2 * apart
    return changes


def _median(known: Sequence[tuple[float, float]], machine: float) -> float:
    """Of changes with their variances, each weighted by how well it is known."""
    if len(known) < _FEWEST_FUNCTIONS:
        return 0.0
    changes, variances = np.array(known).T
    weights = 1 / (variances + _EQUAL_VARIANCE)
    error = _MEDIAN * math.sqrt((weights**2 * variances).sum()) / weights.sum()
    # What few samples show is drawn towards none: machines seldom change by much.
    return float(machine**2 / (machine**2 + error**2)) * _middle(changes, weights)


def _middle(values: Floats, weights: Floats) -> float:
    """The weighted median."""
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulated, cumulated[-1] / 2)])


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
    often = known & (totals(now, keys) + totals(base, keys) >= 2 * _FEWEST_SAMPLES)
    usual = float(np.median((total / np.maximum(degrees, 1))[often if often.any() else known]))
    return np.asarray(np.maximum(1.0, (total + _PRIOR_DEGREES * max(1.0, usual)) / (degrees + _PRIOR_DEGREES)))


def _between_runs(keys: Sequence[str], sides: Sequence[Sequence[PhaseProfile]], prior: float) -> Floats:
    """The relative standard deviation of each function's cost between runs of one build, from those of each side.

    It is that of its cost beside everything else, as growth is tested: samples show all functions of a run as dearer or
    cheaper alike.
    """
    squares = np.full(len(keys), _PRIOR_DEGREES * prior**2)
    degrees = np.full(len(keys), float(_PRIOR_DEGREES))
    for runs in sides:
        counts = np.array([totals(run, keys) for run in runs])
        others = np.array([[run.samples] for run in runs]) - counts
        seen = (np.minimum(counts, others) >= _FEWEST_SAMPLES).all(axis=0)
        if len(runs) < 2 or not seen.any():
            continue
        units = np.array([[sample_ms(run, key) / sample_ms(run, "") for key in keys] for run in runs])
        counts, others, units = counts[:, seen], others[:, seen], units[:, seen]
        extra = np.log(units * counts / others).var(axis=0, ddof=1) - (1 / counts + 1 / others).mean(axis=0)
        squares[seen] += (len(runs) - 1) * np.maximum(0.0, extra)
        degrees[seen] += len(runs) - 1
    return np.asarray(np.sqrt(squares / degrees))
