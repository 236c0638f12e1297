"""The target used all CPU time that it can: a core per Python process, or all cores. Or its event loop was blocked.

Requests then wait for each other. If a function grew, that is the cause, and this is its evidence. Beside a baseline
that was as busy, it explains no rise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.analysis.profiles import profiles_of
from harness.analysis.waits import sampled_waits
from harness.explain.questions import Question
from harness.messages import Message, message
from harness.metrics.formatting import Amount
from harness.record.explanation import Cause, Place
from harness.record.measurement import PhaseMeasurement
from harness.record.profiles import Profile

FULL = 0.85
"""Of the core that a process can use with one GIL, or of all cores."""
HELD = 0.7
"""Of the time: a GIL that is held for longer is what threads wait for."""
_BUSY = 0.2
"""Processes that use less than this share of what the busiest does do not count."""
_LESS = 0.9
"""A baseline that used less than this share of what this run did was not as busy."""


def causes(question: Question) -> Iterator[Cause]:
    if question.family not in ("time", "errors", "capacity"):
        return
    if question.attribution.suspects:
        return
    found = saturated(question)
    if found is not None and not (question.is_compared and was_as_busy(question)):
        yield question.cause("saturated", found, sure=False)
    elif found is None and not question.is_compared:
        yield from _blocked_loop(question)


def _blocked_loop(question: Question) -> Iterator[Cause]:
    """What an event loop's thread waits for most of the time: beside a baseline, a wait that grew says so."""
    sampled = sampled_waits(question.run, question.record) if question.record is not None else None
    if sampled is None:
        return
    sampled_s = sum(span.duration_s for span in sampled.profile.spans)
    held = [(float(waiting_s.sum()), wait.place) for wait, waiting_s in sampled.waiting_s if wait.blocks_loop]
    share = sum(seconds for seconds, _ in held) / sampled_s / max(1, _busy_processes(sampled.profile))
    if share >= HELD:
        _, longest = max(held, key=lambda each: each[0])
        place = Place(function=longest.function, file=longest.file, line=longest.line or None)
        what = message("cause-blocked-loop", place=str(place), used=Amount(100 * min(1.0, share), "%"))
        yield question.cause("saturated", what, place=place, sure=False)


def saturated(question: Question) -> Message | None:
    """That the target had no CPU time to spare; None if it had."""
    if question.record is None or question.measured is None:
        return None
    machine = question.measured.resources.get("machine", {})
    cores = machine["cores"].mean if "cores" in machine else None
    used = _used_cores(question.measured)
    if cores and machine["cpu_percent"].mean >= 100 * FULL * cores and used >= 0.3 * cores:
        return message("cause-saturated-machine", used=used, cores=round(cores))
    profile = _python_profile(question)
    if profile is None:
        return None
    busiest = max(_used_s(profile).values(), default=0.0) / sum(span.duration_s for span in profile.spans)
    if busiest < FULL:
        return None
    return message("cause-saturated-process", used=Amount(100 * min(1.0, busiest), "%"))


def is_crowded(question: Question) -> bool:
    """Whether threads mostly waited for the GIL, or for one of the cores: then all other waits get longer."""
    if question.record is None or question.measured is None:
        return False
    machine = question.measured.resources.get("machine", {})
    full = "cores" in machine and machine["cpu_percent"].mean >= 100 * FULL * machine["cores"].mean
    return full or crowds_itself(question)


def crowds_itself(question: Question) -> bool:
    """Whether the target's own CPU time is what its threads mostly waited for."""
    if question.record is None or question.measured is None:
        return False
    if saturated(question) is not None:
        return True
    profile, sampled = _python_profile(question), question.measured.profile
    if profile is None or sampled is None:
        return False
    looks = sum(span.duration_s * span.rate_hz for span in profile.spans)
    busy = _busy_processes(profile)
    return busy > 0 and sampled.samples >= HELD * looks * busy


def _python_profile(question: Question) -> Profile | None:
    """The samples of the GIL, by spans; None for a target without Python, whose threads need none."""
    assert question.record is not None
    for profile in profiles_of(question.run, question.record, "cpu"):
        if profile.python is not None and any(span.duration_s for span in profile.spans):
            return profile
    return None


def _used_s(profile: Profile) -> Counter[int]:
    """The CPU time of each process while it was sampled."""
    return sum((Counter(span.cpu_s) for span in profile.spans), Counter())


def _busy_processes(profile: Profile) -> int:
    used_s = _used_s(profile).values()
    return sum(each >= _BUSY * max(used_s) for each in used_s)


def _used_cores(phase: PhaseMeasurement) -> float:
    target = phase.resources.get("target", {})
    return target["cpu_percent"].mean / 100 if "cpu_percent" in target else 0.0


def was_as_busy(question: Question) -> bool:
    """Whether the target used about as many cores in the baseline."""
    assert question.measured is not None
    before = [used for phase in question.earlier if (used := _used_cores(phase))]
    return bool(before) and sum(before) / len(before) > _LESS * _used_cores(question.measured)
