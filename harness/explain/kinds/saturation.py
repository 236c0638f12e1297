"""The target used all the CPU time that it can: one core for each Python process, or all cores there are.

Requests then wait for each other. If a function grew, that is the cause, and this is its evidence. Beside a baseline
that was as busy, it explains no rise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.analysis.profiles import profiles_of
from harness.explain.questions import Question
from harness.messages import Message, message
from harness.metrics.formatting import Amount
from harness.record.explanation import Cause
from harness.record.measurement import PhaseMeasurement

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
    if found is None or (question.is_compared and was_as_busy(question)):
        return
    yield question.cause("saturated", found, sure=False)


def saturated(question: Question) -> Message | None:
    """That the target had no CPU time to spare; None if it had."""
    if question.record is None or question.measured is None:
        return None
    machine = question.measured.resources.get("machine", {})
    cores = machine["cores"].mean if "cores" in machine else None
    used = _used_cores(question.measured)
    if cores and machine["cpu_percent"].mean >= 100 * FULL * cores and used >= 0.3 * cores:
        return message("cause-saturated-machine", used=used, cores=round(cores))
    busiest = 0.0
    for profile in profiles_of(question.run, question.record, "cpu"):
        sampled_s = sum(span.duration_s for span in profile.spans)
        by_process = sum((Counter(span.cpu_s) for span in profile.spans), Counter[int]())
        if sampled_s:
            busiest = max(busiest, *(used_s / sampled_s for used_s in by_process.values()), 0.0)
    if busiest >= FULL:
        return message("cause-saturated-process", used=Amount(100 * min(1.0, busiest), "%"))
    return None


def is_crowded(question: Question) -> bool:
    """Whether threads mostly waited for the GIL, or for one of the cores: then all other waits get longer."""
    if question.record is None or question.measured is None:
        return False
    if saturated(question) is not None:
        return True
    machine = question.measured.resources.get("machine", {})
    if "cores" in machine and machine["cpu_percent"].mean >= 100 * FULL * machine["cores"].mean:
        return True
    for profile in profiles_of(question.run, question.record, "cpu"):
        looks = sum(span.duration_s * span.rate_hz for span in profile.spans)
        used = [sum(span.cpu_s.get(pid, 0.0) for span in profile.spans) for pid in {*profile.spans[0].cpu_s}]
        busy = sum(each >= _BUSY * max(used) for each in used) if looks else 0
        samples = question.measured.profile.samples if question.measured.profile else 0
        return busy > 0 and samples >= HELD * looks * busy
    return False


def _used_cores(phase: PhaseMeasurement) -> float:
    target = phase.resources.get("target", {})
    return target["cpu_percent"].mean / 100 if "cpu_percent" in target else 0.0


def was_as_busy(question: Question) -> bool:
    """Whether the target used about as many cores in the baseline."""
    assert question.measured is not None
    before = [used for phase in question.earlier if (used := _used_cores(phase))]
    return bool(before) and sum(before) / len(before) > _LESS * _used_cores(question.measured)
