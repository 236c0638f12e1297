"""Names the functions whose CPU cost grew against the baseline, the most specific first.

Compared is **CPU time per request** (:mod:`harness.analysis.profiles`); which functions grew for sure, and which are
likely to have grown, is tested in :mod:`harness.analysis.growth`. Two profiles are looked at: of threads that hold the
GIL, and, if much of the target's CPU time is used without it, of all threads.

Of a chain of callers that grew together only one is named: the deepest that explains the growth. The search does not go
down into Python's standard library, nor into a function that others use as well and that grew less in proportion: then
the caller is what changed. If the deepest one belongs to a library, and one function of the target's own code calls it
for nearly all of the growth, that one is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.analysis.comparability import of_same_load
from harness.analysis.equal_speed import slower_than
from harness.analysis.functions import Frame, parse_frame
from harness.analysis.growth import Growth, discovered, growths_of, pooled, slowed, smallest_growth
from harness.analysis.measurement import measure
from harness.analysis.profiles import busy_stacks, profiles_of
from harness.messages import Message, message
from harness.plan.duet import A
from harness.plan.phases import phase_kind
from harness.record.measurement import PhaseMeasurement, PhaseProfile
from harness.record.profiles import ProfileKind, Stack
from harness.record.summary import Suspect
from harness.recording.run import PhaseRecord, RunRecording

SMALLEST_GROWTH = 0.02
"""A function that grew by less than this share of the whole cost of a request is not reported."""
MOST_SUSPECTS = 10
MOST_CALLERS = 3
_SURE = 0.01
"""At most this share of suspects are named by chance; of candidates:"""
_LIKELY = 0.1
_EXPLAINS = 0.8
_AS_NEW = 0.95
_WHOLE_PROGRAM = 0.9
_WITHOUT_GIL = 0.15
"""If more of the CPU time was used without the GIL, all threads are looked at, too."""
_MOST_WAITING: dict[ProfileKind, float] = {"cpu": 3.0, "threads": 1.5}
"""Samples that show threads busy so many times as long as they used a core show where they waited for one. (A thread
that holds the GIL waits wherever it happens to be, so its samples say more.)"""


@dataclass(slots=True)
class Attribution:
    """The functions that explain why the target costs more CPU than in the baseline."""

    suspects: list[Suspect] = field(default_factory=list)
    """Those that grew for sure, the greatest growth first."""
    candidates: list[Suspect] = field(default_factory=list)
    """Those that are likely to have grown."""
    notes: list[Message] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The profiles of one kind on both sides, over phases that both have."""

    now: PhaseProfile
    before: list[PhaseProfile]
    stacks: list[Stack]
    own: set[str]


def attribution_of(run: RunRecording) -> Attribution:
    """Compare the run's profiles with those of its baseline; nothing is found without one.

    In a duet, build A is the baseline of build B.
    """
    found = Attribution()
    if run.baseline is None and not run.plan.is_duet:
        return found
    judged = [record for record in run.phases if record.variant != A]
    measured = [record for record in judged if record.plan.measured and phase_kind(record.plan.kind).has_load]
    held = [record for record in measured if phase_kind(record.plan.kind).one_level]
    for records in (held, measured):
        python = _sides(run, records, "cpu")
        threads = _sides(run, records, "threads")
        if python is None:
            continue
        versions = {python.now.python, *(profile.python for profile in python.before)} - {None}
        if len(versions) > 1:
            found.notes.append(message("profiles-of-other-python", versions=sorted(map(str, versions))))
        named: set[str] = set()
        if _is_comparable(python, "cpu", found):
            _compare(python, found, named)
        if threads is not None and _without_gil(python) > _WITHOUT_GIL and _is_comparable(threads, "threads", found):
            _compare(threads, found, named)
        if not found.suspects and not found.notes:
            found.notes.append(message("growth-visible", percent=100 * smallest_growth(python.now, python.before)))
        for entries in (found.suspects, found.candidates):
            entries.sort(key=lambda suspect: suspect.cpu_ms_baseline - suspect.cpu_ms_run)
            del entries[MOST_SUSPECTS:]
        break
    return found


def _is_comparable(sides: _Sides, kind: ProfileKind, found: Attribution) -> bool:
    """Whether the samples show where the target worked; notes if they do not."""
    waiting = max(profile.busy or 0.0 for profile in (sides.now, *sides.before))
    if waiting > _MOST_WAITING[kind]:
        found.notes.append(
            message("profile-shows-waiting" if kind == "cpu" else "threads-show-waiting", factor=waiting)
        )
    return waiting <= _MOST_WAITING[kind]


def _without_gil(sides: _Sides) -> float:
    """The share of the CPU time that was used without the GIL, on the side where it was more."""
    shares = [0.0]
    for profile in (sides.now, pooled(sides.before)):
        if profile.clock_ms and profile.sample_ms is not None:
            shares.append(1 - profile.sample_ms * profile.samples / profile.clock_ms)
    return max(shares)


def _compare(sides: _Sides, found: Attribution, named: set[str]) -> None:
    """Add what grew to ``found``, unless it calls or is called by one of ``named``, and name it there."""
    growths = growths_of(sides.now, sides.before)
    by_key = {growth.key: growth for growth in growths}
    least_ms = SMALLEST_GROWTH * (pooled(sides.before).clock_ms or 0.0)
    sure = discovered(growths, _SURE)
    likely = discovered(growths, _LIKELY) - sure
    for keys, into in ((sure, found.suspects), (likely, found.candidates)):
        grown = [growth for growth in growths if growth.key in keys and growth.growth_ms >= least_ms]
        new = [
            suspect
            for suspect in _named(grown, by_key, sides)
            if not named.intersection(_chains(_key(suspect), sides.stacks))
        ]
        into += new
        named |= {_key(suspect) for suspect in new}


def _key(suspect: Suspect) -> str:
    return Frame(suspect.function, suspect.file, suspect.line).key


def _chains(key: str, stacks: Sequence[Stack]) -> set[str]:
    """All functions above and below a function."""
    found: set[str] = set()
    for stack in stacks:
        keys = {parse_frame(text).key for text in stack.frames}
        if key in keys:
            found |= keys
    return found


def _sides(run: RunRecording, records: Sequence[PhaseRecord], kind: ProfileKind) -> _Sides | None:
    """Both sides over the phases that both have sampled, taken together; None where there is no such phase."""
    now: list[PhaseProfile] = []
    before: dict[str, list[PhaseProfile]] = {}
    stacks: list[Stack] = []
    own: set[str] = set()
    for record in records:
        phase = measure(run).phase(record.plan.name, record.variant)
        profile = None if phase is None else _scaled(phase, kind)
        if phase is None or profile is None:
            continue
        sampled = _at_equal_speed(phase, _earlier(run, phase, kind))
        if not sampled:
            continue
        now.append(profile)
        stacks += busy_stacks(run, record, kind)
        own |= {file for recorded in profiles_of(run, record, kind) for file in recorded.own}
        for run_id, earlier in sampled.items():
            before.setdefault(run_id, []).append(earlier)
    if not now:
        return None
    return _Sides(pooled(now), [pooled(parts) for parts in before.values()], stacks, own)


def earlier_profiles(run: RunRecording, phase: PhaseMeasurement, kind: ProfileKind) -> dict[str, PhaseProfile]:
    """The profiles that one of ``phase`` is compared with, by run-id, the latest first; in a duet that of build A."""
    return {run_id: profile for run_id, (_, profile) in _earlier(run, phase, kind).items()}


def _earlier(
    run: RunRecording, phase: PhaseMeasurement, kind: ProfileKind
) -> dict[str, tuple[PhaseMeasurement, PhaseProfile]]:
    others = [measure(run)] if run.plan.is_duet else of_same_load(run, phase)
    variant = A if run.plan.is_duet else phase.variant
    found = ((other.run_id, other.phase(phase.name, variant)) for other in others)
    return {
        run_id: (other, profile)
        for run_id, other in found
        if other is not None and (profile := _scaled(other, kind)) is not None
    }


def _at_equal_speed(
    phase: PhaseMeasurement, earlier: Mapping[str, tuple[PhaseMeasurement, PhaseProfile]]
) -> dict[str, PhaseProfile]:
    """The earlier profiles as they would have been at the machine's speed in ``phase``, or as they were without it."""
    slower = slower_than(phase, [other for other, _ in earlier.values()]) or [1.0] * len(earlier)
    return {run_id: slowed(profile, by) for (run_id, (_, profile)), by in zip(earlier.items(), slower, strict=True)}


def _scaled(phase: PhaseMeasurement, kind: ProfileKind) -> PhaseProfile | None:
    """The phase's profile of that kind; None if no clocks scale it (earlier versions took other samples)."""
    profile = phase.profile_of(kind)
    return profile if profile is not None and profile.spans and profile.samples and profile.requests else None


def _named(grown: Sequence[Growth], all_growths: Mapping[str, Growth], sides: _Sides) -> list[Suspect]:
    """The most specific of each chain, the greatest growth first."""
    under, depth, lines = _nesting(all_growths.keys(), sides.stacks)
    explained: dict[str, list[str]] = {}
    for outer in grown:
        for inner in grown:
            if _is_wrapper(outer, inner, under, depth):
                explained.setdefault(outer.key, []).append(inner.key)
    left = [entry for entry in grown if entry.key not in explained]
    left = [entry for entry in left if not any(_is_callee(entry, outer, under, depth) for outer in left)]
    named = [entry for entry in left if not _is_sum(entry, left, under, depth)]
    suspects: dict[str, Suspect] = {}
    for entry in sorted(named, key=lambda entry: -entry.growth_ms):
        callers = [key for key, inner in explained.items() if entry.key in inner]
        callers.sort(key=lambda key: (parse_frame(key).is_standard, -depth[key]))
        own = _own_caller(entry, all_growths, under, sides)
        charged = own or entry
        above = [key for key in callers if key != charged.key and depth[key] < depth[charged.key]]
        inside = entry.key if own else None
        suspects.setdefault(charged.key, _suspect(charged, lines[charged.key], above[:MOST_CALLERS], inside))
    return list(suspects.values())


def _own_caller(
    entry: Growth, all_growths: Mapping[str, Growth], under: Mapping[tuple[str, str], int], sides: _Sides
) -> Growth | None:
    """The function of the target's own code that calls a library's function for nearly all of its growth.

    None if it is own code itself, if several call it, or if only what runs the whole program calls it.
    """
    if not sides.own or parse_frame(entry.key).file in sides.own:
        return None
    nearest: Counter[str] = Counter()
    for stack in sides.stacks:
        frames = [parse_frame(text) for text in stack.frames]
        inside = next((at for at, frame in enumerate(frames) if frame.key == entry.key), None)
        if inside is not None:
            own = next((frame.key for frame in reversed(frames[:inside]) if frame.file in sides.own), "")
            nearest[own] += stack.weight
    key, weight = nearest.most_common(1)[0] if nearest else ("", 0)
    caller = all_growths.get(key)
    if caller is None or weight < _EXPLAINS * nearest.total() or caller.now_share > _WHOLE_PROGRAM:
        return None
    called_ms = under.get((key, entry.key), 0) * entry.sample_ms
    return caller if min(called_ms, caller.growth_ms) >= _EXPLAINS * entry.growth_ms else None


def _is_wrapper(outer: Growth, inner: Growth, under: dict[tuple[str, str], int], depth: dict[str, float]) -> bool:
    """Whether ``outer`` grew only because it calls ``inner``."""
    if depth[inner.key] <= depth[outer.key] or parse_frame(inner.key).is_standard:
        return False
    called = under.get((outer.key, inner.key), 0) * inner.sample_ms
    explains = min(called, inner.growth_ms) >= _EXPLAINS * outer.growth_ms
    return explains and inner.newness >= _AS_NEW * outer.newness


def _is_sum(
    outer: Growth, entries: Sequence[Growth], under: Mapping[tuple[str, str], int], depth: Mapping[str, float]
) -> bool:
    """Whether ``outer`` grew only because it calls several of the others."""
    inside = [inner for inner in entries if depth[inner.key] > depth[outer.key]]
    called = sum(under.get((outer.key, inner.key), 0) * inner.sample_ms * inner.newness for inner in inside)
    return called >= _EXPLAINS * outer.growth_ms


def _is_callee(inner: Growth, outer: Growth, under: dict[tuple[str, str], int], depth: dict[str, float]) -> bool:
    """Whether ``inner`` grew only because ``outer``, which is new itself, calls it."""
    if depth[inner.key] <= depth[outer.key]:
        return False
    called = under.get((outer.key, inner.key), 0) * inner.sample_ms * outer.newness
    return min(called, outer.growth_ms) >= _EXPLAINS * inner.growth_ms


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


def _suspect(entry: Growth, line: int, callers: list[str], inside: str | None) -> Suspect:
    frame = parse_frame(entry.key)
    return Suspect(
        function=frame.function,
        file=frame.file,
        line=line,
        share_baseline=entry.base_share,
        share_run=entry.now_share,
        change=entry.now_share - entry.base_share,
        cpu_ms_baseline=entry.base_ms,
        cpu_ms_run=entry.now_ms,
        cpu_ms_growth=entry.interval_ms,
        callers=callers,
        inside=inside,
    )
