"""Names the functions whose CPU cost grew against the baseline, the most specific first.

Compared is **CPU time per request**: samples / sampling rate / requests sent while the sampler was on. Shares alone
mislead: if one function gets ten times slower, the shares of all others fall although they cost what they did. Time
alone misleads too: on a machine that is slower today, all functions grow alike. So a suspect must have grown in both.

Counts of samples are taken as Poisson counts with their exact interval (Garwood 1936, Biometrika 28). But a stack lasts
over several samples, so several samples (:func:`worth_one`, or more if the baseline's runs show it) are worth one.
Differences of times and of shares get their interval from those of both sides (MOVER, Zou & Donner 2008; for shares,
on Wilson's intervals, which is Newcombe's method 10, 1998, Statistics in Medicine 17).

Of a chain of callers that grew together only one is named: the deepest that explains the growth. The search does not go
down into Python's standard library, nor into a function that others use as well and that grew less in proportion: then
the caller is what changed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scipy.special import gammaincinv

from harness.analysis.comparability import of_same_load
from harness.analysis.functions import Frame, cpu_stacks, parse_frame
from harness.analysis.intervals import wilson
from harness.analysis.measurement import measure
from harness.plan.duet import A
from harness.plan.phases import phase_kind
from harness.record.measurement import FunctionSamples, PhaseMeasurement, PhaseProfile
from harness.record.profiles import Stack
from harness.record.summary import Suspect
from harness.recording.run import PhaseRecord, RunRecording

PERSISTENCE_S = 0.02
"""About how long a stack stays the same: after that time it is still there with probability 1/e."""
SMALLEST_GROWTH = 0.02
"""A function that grew by less than this share of the whole cost of a request is not reported."""
MOST_SUSPECTS = 10
MOST_CALLERS = 3
_EXPLAINS = 0.8
_AS_NEW = 0.95
_SURE = 0.0005
"""One-sided level for a suspect: hundreds of functions are compared, so 95 % would name some by chance."""
_Z = 1.959963984540054
_NOTHING = FunctionSamples(own=0, total=0)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Samples in a function of ``samples`` in all, each worth ``seconds`` of CPU time a request."""

    count: int
    samples: int
    seconds: float

    @property
    def time(self) -> float:
        return self.count * self.seconds

    @property
    def share(self) -> float:
        return self.count / self.samples

    def times(self, dispersion: float) -> tuple[float, float]:
        """Certain bounds of :attr:`time`."""
        count = self.count / dispersion
        low = float(gammaincinv(count, _SURE)) if count else 0.0
        scale = dispersion * self.seconds
        return low * scale, float(gammaincinv(count + 1, 1 - _SURE)) * scale


@dataclass(frozen=True, slots=True)
class _Grown:
    """A function that certainly costs more than it did."""

    key: str
    base: _Cost
    now: _Cost
    share_interval: tuple[float, float]

    @property
    def growth(self) -> float:
        return self.now.time - self.base.time

    @property
    def newness(self) -> float:
        """How much of its cost is new: 1 for a function that was not there before."""
        return self.growth / self.now.time


def suspects_of(run: RunRecording) -> list[Suspect]:
    """The functions that explain why the target costs more CPU than in the baseline; none without a baseline.

    In a duet, build A is the baseline of build B.
    """
    if run.baseline is None and not run.plan.is_duet:
        return []
    judged = [record for record in run.phases if record.variant != A]
    measured = [record for record in judged if record.plan.measured and phase_kind(record.plan.kind).has_load]
    held = [record for record in measured if phase_kind(record.plan.kind).one_level]
    for records in (held, measured):
        found = _compared(run, records)
        if found is not None:
            return found
    return []


def _compared(run: RunRecording, records: Sequence[PhaseRecord]) -> list[Suspect] | None:
    """Suspects over the phases that both sides have sampled, taken together; None where there is no such phase."""
    now: list[PhaseProfile] = []
    before: dict[str, list[PhaseProfile]] = {}
    stacks: list[Stack] = []
    for record in records:
        phase = measure(run).phase(record.plan.name, record.variant)
        if phase is None or phase.profile is None or not phase.profile.requests:
            continue
        sampled = earlier_profiles(run, phase)
        if not sampled:
            continue
        now.append(phase.profile)
        stacks += cpu_stacks(run, record)
        for run_id, profile in sampled.items():
            before.setdefault(run_id, []).append(profile)
    if not now:
        return None
    grown = _grown(_pooled(now), [_pooled(parts) for parts in before.values()])
    return _named(grown, stacks)


def earlier_profiles(run: RunRecording, phase: PhaseMeasurement) -> dict[str, PhaseProfile]:
    """The profiles that one of ``phase`` is compared with, by run-id, the latest first; in a duet that of build A."""
    others = [measure(run)] if run.plan.is_duet else of_same_load(run, phase)
    variant = A if run.plan.is_duet else phase.variant
    found = ((other.run_id, other.phase(phase.name, variant)) for other in others)
    return {
        run_id: other.profile
        for run_id, other in found
        if other is not None and other.profile is not None and other.profile.samples and other.profile.requests
    }


def _pooled(profiles: Sequence[PhaseProfile]) -> PhaseProfile:
    """All samples together, as if taken at the first one's rate: one taken half as often saw half the requests."""
    functions: dict[str, FunctionSamples] = {}
    for profile in profiles:
        for key, seen in profile.functions.items():
            sofar = functions.get(key, _NOTHING)
            functions[key] = FunctionSamples(own=sofar.own + seen.own, total=sofar.total + seen.total)
    rate_hz = profiles[0].rate_hz
    return PhaseProfile(
        samples=sum(profile.samples for profile in profiles),
        rate_hz=rate_hz,
        requests=sum(profile.requests * profile.rate_hz for profile in profiles) / rate_hz,
        functions=functions,
    )


def _grown(now: PhaseProfile, before: Sequence[PhaseProfile]) -> list[_Grown]:
    """Every function that certainly grew by enough, in time per request and in share."""
    base = _pooled(before)
    whole = base.samples / base.rate_hz / base.requests
    grown = []
    for key, seen in now.functions.items():
        shown = _dispersion(key, before)
        old_worth, new_worth = max(worth_one(base.rate_hz), shown), max(worth_one(now.rate_hz), shown)
        old = _Cost(base.functions.get(key, _NOTHING).total, base.samples, 1 / base.rate_hz / base.requests)
        new = _Cost(seen.total, now.samples, 1 / now.rate_hz / now.requests)
        growth = new.time - old.time
        surely = growth - math.hypot(new.time - new.times(new_worth)[0], old.times(old_worth)[1] - old.time)
        change = new.share - old.share
        new_low, new_high = wilson(new.share, new.samples / new_worth)
        old_low, old_high = wilson(old.share, old.samples / old_worth)
        low = change - math.hypot(new.share - new_low, old_high - old.share)
        high = change + math.hypot(new_high - new.share, old.share - old_low)
        if surely > 0 and growth >= SMALLEST_GROWTH * whole and low > 0 and parse_frame(key).file:
            grown.append(_Grown(key, old, new, (low, high)))
    return grown


def worth_one(rate_hz: float) -> float:
    """How many samples are worth one independent sample: 4.1 at 100 a second, 1.2 at 20.

    By how much the variance of a mean exceeds that of independent values where the correlation of neighbours is ``r``
    and falls by powers of it: (1 + r) / (1 - r) (Bayley & Hammersley 1946, Supplement to the J. R. Stat. Soc. 8).
    """
    r = math.exp(-1 / (rate_hz * PERSISTENCE_S))
    return (1 + r) / (1 - r)


def _dispersion(key: str, before: Sequence[PhaseProfile]) -> float:
    """Pearson's estimate of how much more than by chance a function's samples vary between the baseline's runs."""
    if len(before) < 2:
        return 0.0
    counts = [profile.functions.get(key, _NOTHING).total for profile in before]
    # In units of what the run's requests would give: samples a request differ between runs, not requests.
    weights = [profile.requests * profile.rate_hz for profile in before]
    rate = sum(counts) / sum(weights)
    if not rate:
        return 0.0
    chi = sum((count - rate * weight) ** 2 / (rate * weight) for count, weight in zip(counts, weights, strict=True))
    return chi / (len(before) - 1)


def _named(grown: Sequence[_Grown], stacks: Sequence[Stack]) -> list[Suspect]:
    """The most specific of each chain, the greatest growth first."""
    by_key = {entry.key: entry for entry in grown}
    under, depth, lines = _nesting(by_key.keys(), stacks)
    explained: dict[str, list[str]] = {}
    for outer in grown:
        for inner in grown:
            if _is_wrapper(outer, inner, under, depth):
                explained.setdefault(outer.key, []).append(inner.key)
    left = [entry for entry in grown if entry.key not in explained]
    named = [entry for entry in left if not any(_is_callee(entry, outer, under, depth) for outer in left)]
    named.sort(key=lambda entry: -entry.growth)
    suspects = []
    for entry in named[:MOST_SUSPECTS]:
        frame = parse_frame(entry.key)
        callers = [key for key, inner in explained.items() if entry.key in inner]
        callers.sort(key=lambda key: (parse_frame(key).is_standard, -depth[key]))
        suspects.append(_suspect(entry, frame, lines[entry.key], callers[:MOST_CALLERS]))
    return suspects


def _is_wrapper(outer: _Grown, inner: _Grown, under: dict[tuple[str, str], int], depth: dict[str, float]) -> bool:
    """Whether ``outer`` grew only because it calls ``inner``."""
    if depth[inner.key] <= depth[outer.key] or parse_frame(inner.key).is_standard:
        return False
    called = under.get((outer.key, inner.key), 0) * inner.now.seconds
    explains = min(called, inner.growth) >= _EXPLAINS * outer.growth
    return explains and inner.newness >= _AS_NEW * outer.newness


def _is_callee(inner: _Grown, outer: _Grown, under: dict[tuple[str, str], int], depth: dict[str, float]) -> bool:
    """Whether ``inner`` grew only because ``outer``, which is new itself, calls it."""
    if depth[inner.key] <= depth[outer.key]:
        return False
    called = under.get((outer.key, inner.key), 0) * inner.now.seconds * outer.newness
    return min(called, outer.growth) >= _EXPLAINS * inner.growth


def _nesting(
    keys: Collection[str], stacks: Sequence[Stack]
) -> tuple[dict[tuple[str, str], int], dict[str, float], dict[str, int]]:
    """Samples of each function below each other one, each one's mean depth, and the line it was seen on most."""
    under: dict[tuple[str, str], int] = {}
    depths: dict[str, list[int]] = {key: [0, 0] for key in keys}
    lines: dict[str, dict[int, int]] = {key: {} for key in keys}
    for stack in stacks:
        outermost: dict[str, int] = {}
        for position, text in enumerate(stack.frames):
            frame = parse_frame(text)
            if frame.key not in depths or frame.key in outermost:
                continue
            for outer in outermost:
                under[outer, frame.key] = under.get((outer, frame.key), 0) + stack.weight
            outermost[frame.key] = position
            depths[frame.key][0] += position * stack.weight
            depths[frame.key][1] += stack.weight
            lines[frame.key][frame.line] = lines[frame.key].get(frame.line, 0) + stack.weight
    mean = {key: position / weight for key, (position, weight) in depths.items()}
    return under, mean, {key: max(seen, key=lambda line: seen[line]) for key, seen in lines.items()}


def _suspect(entry: _Grown, frame: Frame, line: int, callers: list[str]) -> Suspect:
    return Suspect(
        function=frame.function,
        file=frame.file,
        line=line,
        share_baseline=entry.base.share,
        share_run=entry.now.share,
        change=entry.now.share - entry.base.share,
        interval=entry.share_interval,
        cpu_ms_baseline=1000 * entry.base.time,
        cpu_ms_run=1000 * entry.now.time,
        callers=callers,
    )
