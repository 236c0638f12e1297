"""Names the functions whose CPU cost grew against the baseline, the most specific first.

It compares **CPU time per request** (:mod:`harness.analysis.profiles`). :mod:`harness.analysis.growth` tests which
functions certainly grew, and which are likely to have grown. It compares two profiles: of threads that hold the GIL
and, if much of the target's CPU time is used without it, of all threads.

If functions grew together because they call each other, one is named (:mod:`harness.analysis.call_chains`). A library
function that neither calls the target's own code nor is called by it is a candidate at most: its cost in the kernel
depends on the machine.

If several runs together show that a figure got worse, their profiles are pooled, too, so that differences between runs
matter less. Of earlier runs, only the profiles by function are known, not the stacks: this run's stacks show which
function calls which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.analysis.call_chains import above_and_below, is_outside_own_code, most_specific
from harness.analysis.comparability import of_same_load
from harness.analysis.equal_speed import slower_than
from harness.analysis.functions import Frame
from harness.analysis.growth import (
    BETWEEN_QUEUES,
    BETWEEN_RUNS,
    MACHINE,
    MACHINE_AT_EQUAL_SPEED,
    growths_of,
    significant,
    smallest_growth,
)
from harness.analysis.measurement import measure
from harness.analysis.nights import Nights
from harness.analysis.pooled_profiles import pooled, slowed
from harness.analysis.profiles import busy_stacks, profiles_of
from harness.messages import Message, message
from harness.metrics.formatting import Amount
from harness.plan.duet import A
from harness.plan.phases import phase_kind
from harness.record.changes import Suspect
from harness.record.measurement import PhaseMeasurement, PhaseProfile
from harness.record.profiles import ProfileKind, Stack
from harness.recording.run import PhaseRecord, RunRecording

SMALLEST_GROWTH = 0.02
"""A function that grew by less than this share of the whole cost of a request is not reported."""
MOST_SUSPECTS = 10
_SURE = 0.01
"""At most this share of suspects are named by chance; of candidates:"""
_LIKELY = 0.1
_WITHOUT_GIL = 0.15
"""If more than this share of the CPU time was used without the GIL, samples of all threads are compared, too."""
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

    runs: list[PhaseProfile]
    """Of this run, and of those that are judged together with it."""
    before: list[PhaseProfile]
    machine: float
    """By how much the machine's speed usually differs between them."""
    stacks: list[Stack]
    own_files: set[str]


def attribution_of(run: RunRecording) -> Attribution:
    """Compare the run's profiles with those of its baseline; nothing is found without one.

    In a duet, build A is the baseline of build B.
    """
    if run.baseline is None and not run.plan.is_duet:
        return Attribution()
    judged = [record for record in run.phases if record.variant != A]
    measured = [record for record in judged if record.plan.measured and phase_kind(record.plan.kind).has_load]
    held = [record for record in measured if phase_kind(record.plan.kind).one_level]
    return _attributed(run, held) or _attributed(run, measured) or Attribution()


def attribution_of_nights(run: RunRecording, record: PhaseRecord, nights: Nights) -> Attribution:
    """Compare the profiles of one phase in the run and in ``nights`` with those of the runs before them."""
    return _attributed(run, [record], nights) or Attribution()


def _attributed(run: RunRecording, records: Sequence[PhaseRecord], nights: Nights | None = None) -> Attribution | None:
    """What the profiles of these phases show; None where the two sides have no profile of the same phase."""
    python = _sides(run, records, "cpu", nights)
    threads = _sides(run, records, "threads", nights)
    if python is None:
        return None
    found = Attribution()
    versions = {profile.python for profile in (*python.runs, *python.before)} - {None}
    if len(versions) > 1:
        found.notes.append(message("profiles-of-other-python", versions=sorted(map(str, versions))))
    named: set[str] = set()
    between = BETWEEN_RUNS if threads is None or _queue_alike(threads) else BETWEEN_QUEUES
    if _is_comparable(python, "cpu", found):
        _compare(python, found, named, between)
    if threads is not None and _without_gil(python) > _WITHOUT_GIL and _is_comparable(threads, "threads", found):
        _compare(threads, found, named, between)
    if not found.suspects and not found.notes:
        visible = (smallest_growth(python.runs, python.before, share, between) for share in (0.1, 0.5))
        tenth, half = (Amount(100 * growth, "%") for growth in visible)
        found.notes.append(message("growth-visible", percent=tenth, of_half=half))
    for entries in (found.suspects, found.candidates):
        entries.sort(key=lambda suspect: suspect.cpu_ms_baseline - suspect.cpu_ms_run)
        del entries[MOST_SUSPECTS:]
    return found


def _is_comparable(sides: _Sides, kind: ProfileKind, found: Attribution) -> bool:
    """Whether the samples show where the target worked; notes if they do not."""
    waiting = max(profile.busy or 0.0 for profile in (*sides.runs, *sides.before))
    if waiting > _MOST_WAITING[kind]:
        found.notes.append(
            message(
                "profile-shows-waiting" if kind == "cpu" else "threads-show-waiting",
                factor=waiting,
                waited=1 - 1 / waiting,
            )
        )
    return waiting <= _MOST_WAITING[kind]


def _queue_alike(threads: _Sides) -> bool:
    """Whether threads waited for the GIL or a core on both sides, or on none."""
    return len({any(_waits(profile, "threads") for profile in side) for side in (threads.runs, threads.before)}) == 1


def _waits(profile: PhaseProfile, kind: ProfileKind) -> bool:
    """Whether its samples show where threads waited for a core."""
    return (profile.busy or 0.0) > _MOST_WAITING[kind]


def _without_gil(sides: _Sides) -> float:
    """The share of the CPU time that was used without the GIL, on the side where it was more."""
    shares = [0.0]
    for profile in (pooled(sides.runs), pooled(sides.before)):
        if profile.clock_ms and profile.sample_ms is not None:
            shares.append(1 - profile.sample_ms * profile.samples / profile.clock_ms)
    return max(shares)


def _compare(sides: _Sides, found: Attribution, named: set[str], between: float) -> None:
    """Add what grew to ``found``, unless it calls or is called by one of ``named``, and name it there."""
    growths = growths_of(sides.runs, sides.before, sides.machine, between)
    by_key = {growth.key: growth for growth in growths}
    samples = pooled(sides.runs).functions
    least_ms = SMALLEST_GROWTH * (pooled(sides.before).clock_ms or 0.0)
    tested = [*growths, *(growth.own for growth in growths if growth.own is not None)]
    # The test is conditional on the samples of both sides together: to leave out functions with few favours no outcome.
    tested = [growth for growth in tested if growth.base_ms + growth.now_ms >= least_ms]
    sure, likely = significant(tested, _SURE), significant(tested, _LIKELY)
    clearest = [growth.own if growth.own is not None and growth.own.p < growth.p else growth for growth in growths]
    for above, level, into in ((-1.0, sure, found.suspects), (sure, likely, found.candidates)):
        grown = [growth for growth in clearest if above < growth.p <= level and growth.growth_ms >= least_ms]
        new = [
            suspect
            for suspect in most_specific(grown, by_key, samples, sides.stacks, sides.own_files)
            if not named.intersection(above_and_below(_key(suspect), sides.stacks))
        ]
        for suspect in new:
            key = _key(suspect)
            named.add(key)
            outside = is_outside_own_code(key, by_key, sides.stacks, sides.own_files)
            (found.candidates if outside else into).append(suspect)


def _key(suspect: Suspect) -> str:
    return Frame(suspect.function, suspect.file, suspect.line).key


def _sides(
    run: RunRecording, records: Sequence[PhaseRecord], kind: ProfileKind, nights: Nights | None
) -> _Sides | None:
    """Both sides over the phases that both have sampled, taken together; None where there is no such phase."""
    now: dict[str, list[PhaseProfile]] = {}
    before: dict[str, list[PhaseProfile]] = {}
    stacks: list[Stack] = []
    own: set[str] = set()
    machine = MACHINE_AT_EQUAL_SPEED
    together = {night.run_id for night in nights.earlier} if nights else set()
    for record in records:
        phase = measure(run).phase(record.plan.name, record.variant)
        profile = None if phase is None else _scaled(phase, kind)
        if phase is None or profile is None:
            continue
        earlier = _earlier(run, phase, kind, nights)
        if not earlier:
            continue
        slower = slower_than(phase, [other for other, _ in earlier.values()])
        if slower is None:
            machine = MACHINE
            slower = [1.0] * len(earlier)
        now.setdefault(run.run_id, []).append(profile)
        stacks += busy_stacks(run, record, kind)
        own |= {file for recorded in profiles_of(run, record, kind) for file in recorded.own}
        for (run_id, (_, of_run)), by in zip(earlier.items(), slower, strict=True):
            side = now if run_id in together else before
            side.setdefault(run_id, []).append(slowed(of_run, by))
    if not before:
        return None
    return _Sides(_that_worked(now, kind), _that_worked(before, kind), machine, stacks, own)


def _that_worked(runs: Mapping[str, Sequence[PhaseProfile]], kind: ProfileKind) -> list[PhaseProfile]:
    """Each run's profile over its phases. Profiles that show where threads waited for a core count only if all do."""
    profiles = [pooled(parts) for parts in runs.values()]
    return [profile for profile in profiles if not _waits(profile, kind)] or profiles


def earlier_profiles(run: RunRecording, phase: PhaseMeasurement, kind: ProfileKind) -> dict[str, PhaseProfile]:
    """The profiles that one of ``phase`` is compared with, by run-id, the latest first; in a duet that of build A."""
    return {run_id: profile for run_id, (_, profile) in _earlier(run, phase, kind).items()}


def _earlier(
    run: RunRecording, phase: PhaseMeasurement, kind: ProfileKind, nights: Nights | None = None
) -> dict[str, tuple[PhaseMeasurement, PhaseProfile]]:
    if nights is not None:
        others = [*nights.earlier, *nights.before]
    else:
        others = [measure(run)] if run.plan.is_duet else of_same_load(run, phase)
    variant = A if run.plan.is_duet else phase.variant
    found = ((other.run_id, other.phase(phase.name, variant)) for other in others)
    return {
        run_id: (other, profile)
        for run_id, other in found
        if other is not None and (profile := _scaled(other, kind)) is not None
    }


def _scaled(phase: PhaseMeasurement, kind: ProfileKind) -> PhaseProfile | None:
    """The phase's profile of that kind; None if no clocks scale it (earlier versions took other samples)."""
    profile = phase.profile_of(kind)
    return profile if profile is not None and profile.spans and profile.samples and profile.requests else None
