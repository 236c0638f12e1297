"""A function that takes more CPU time than in the baseline; without one, the one that takes most.

A target that has no CPU time to spare makes requests wait for it. What a function grew by is then a small part of what
it adds to response times: while it runs, others wait, and the queue grows. So if the target has become saturated since
the baseline, the growth is the cause of slow responses without a part of them in figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.analysis.functions import parse_frame
from harness.analysis.profiles import busy_stacks, profiles_of
from harness.analysis.wait_kinds import serving
from harness.explain.kinds.cores import lost_to_others
from harness.explain.kinds.saturation import crowds_itself, is_crowded, saturated, was_as_busy
from harness.explain.questions import Question
from harness.messages import message
from harness.metrics.formatting import Amount, Estimate
from harness.record.changes import Suspect
from harness.record.explanation import Cause, Place
from harness.record.measurement import Interval

_SMALL = 0.1
"""Where requests wait for each other, a function that grew by less than this share of the first one is not named."""
_MUCH = 0.3
"""Of the CPU time: a function that takes less is no cause without a baseline."""
_MOSTLY, _LITTLE = 0.5, 0.1
"""Of the response time."""
_FEW = 20
"""Samples: one alone would say that a function takes all of the CPU time."""


def causes(question: Question) -> Iterator[Cause]:
    if question.family not in ("time", "errors", "cpu", "capacity"):
        return
    suspects, candidates = question.attribution.suspects, question.attribution.candidates
    if question.is_compared or suspects or question.family == "capacity":
        # Against a limit alone, growth is the cause for certain only if requests wait for CPU time.
        matters = question.family != "errors" and (question.is_compared or saturated(question) is not None)
        for suspect in suspects:
            if not _queues(question) or _growth_ms(suspect) >= _SMALL * _growth_ms(suspects[0]):
                yield _of_suspect(question, suspect, sure=matters)
        for suspect in candidates:
            yield _of_suspect(question, suspect, sure=False)
    elif question.family in ("time", "cpu") and question.record is not None:
        yield from _costliest(question)


def _of_suspect(question: Question, suspect: Suspect, *, sure: bool) -> Cause:
    place = Place(function=suspect.function, file=suspect.file or None, line=suspect.line or None)
    grown = _growth_ms(suspect)
    low, high = suspect.cpu_ms_growth or (grown, grown)
    ms = Interval(value=grown, low=max(0.0, low), high=high)
    what = message("cause-cpu", place=str(place), ms=Estimate(ms, "ms"))
    evidence = []
    if suspect.inside:
        evidence.append(message("evidence-inside", function=suspect.inside))
    if question.family != "cpu" and (saturation := saturated(question)) is not None:
        evidence.append(saturation)
    own_ms = None if _queues(question) else ms
    return question.cause("cpu", what, ms=own_ms, place=place, sure=sure, evidence=evidence)


def _growth_ms(suspect: Suspect) -> float:
    return suspect.cpu_ms_run - suspect.cpu_ms_baseline


def _queues(question: Question) -> bool:
    """Whether requests wait for CPU time that was there in the baseline."""
    asked = question.family in ("time", "capacity") and question.is_compared
    return asked and saturated(question) is not None and not was_as_busy(question)


def _costliest(question: Question) -> Iterator[Cause]:
    """The function of the target's own code that most CPU time is spent in or below, if it is much."""
    assert question.record is not None
    profile = question.measured and question.measured.profile
    own = {file for recorded in profiles_of(question.run, question.record, "cpu") for file in recorded.own}
    clock_ms = question.blocked_cpu_ms.value if question.blocked_requests else profile and profile.clock_ms
    if not profile or not clock_ms or not own:
        return
    charged: Counter[str] = Counter()
    lines: Counter[tuple[str, int]] = Counter()
    samples = 0
    for stack in busy_stacks(question.run, question.record, "cpu"):
        samples += stack.weight
        frames = [parse_frame(text) for text in stack.frames]
        at = serving(frames, own)
        # What starts a server is around all that the server does: it counts only while it runs itself.
        inner = frames[-1 if at is None else at]
        if inner.file in own:
            charged[inner.key] += stack.weight
            lines[inner.key, inner.line] += stack.weight
    for key, weight in charged.most_common(1):
        share = weight / samples
        if share < _MUCH or samples < _FEW:
            return
        function = parse_frame(key)
        line = max((line for (name, line) in lines if name == key), key=lambda line: lines[key, line])
        place = Place(function=function.function, file=function.file, line=line or None)
        ms = clock_ms * share
        if _mostly_waits(question, ms):
            return
        # Where requests wait for a core, or for each other, that is a small part of what it adds.
        own_ms = None if question.family != "cpu" and is_crowded(question) else Interval.exactly(ms)
        what = message("cause-cpu-most", place=str(place), ms=Amount(ms, "ms"), share=Amount(100 * share, "%"))
        saturation = saturated(question)
        evidence = [] if saturation is None else [saturation]
        yield question.cause("cpu", what, ms=own_ms, place=place, sure=False, evidence=evidence)


def _mostly_waits(question: Question, ms: float) -> bool:
    """Whether requests mostly wait for something else than a function that takes ``ms`` of CPU time."""
    whole, measured = question.response_ms, question.measured
    if question.family == "cpu" or whole is None or measured is None or crowds_itself(question):
        return False
    lost, lost_ms = lost_to_others(measured)
    waited_ms = sum(wait.ms.value for wait in measured.waits or []) + (lost_ms or 0.0)
    # While others have the cores, a function takes longer than its CPU time.
    takes_ms = ms / max(1 - (lost or 0.0), ms / whole.value)
    return waited_ms > _MOSTLY * whole.value and takes_ms < _LITTLE * whole.value
