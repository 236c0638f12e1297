"""The target's own functions that no run of the baseline was seen in, where an invariant was broken.

If one of them calls another, the innermost is named. Only stacks of threads at work count: of threads that wait, the
baseline keeps no stacks, so each would be new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

from harness.analysis.functions import Frame, parse_frame
from harness.analysis.measurement import measure
from harness.analysis.profiles import busy_stacks, profiles_of
from harness.explain.questions import Question
from harness.messages import message
from harness.plan.duet import A
from harness.record.explanation import Cause, Place
from harness.record.profiles import ProfileKind, Stack

_FEWEST_SAMPLES = 2
_MOST = 3
_KINDS: tuple[ProfileKind, ...] = ("cpu", "threads")


def causes(question: Question) -> Iterator[Cause]:
    run = question.run
    known = _known(question)
    if question.family != "invariant" or not known:
        return
    samples: Counter[str] = Counter()
    lines: dict[str, Counter[int]] = {}
    for record, kind in product((record for record in run.phases if record.variant != A), _KINDS):
        own = {file for profile in profiles_of(run, record, kind) for file in profile.own}
        for stack in busy_stacks(run, record, kind):
            new = _innermost_new(stack, own, known)
            if new is not None:
                samples[new.key] += stack.weight
                lines.setdefault(new.key, Counter())[new.line] += stack.weight
    for key, count in samples.most_common(_MOST):
        if count >= _FEWEST_SAMPLES:
            frame = parse_frame(key)
            [(line, _)] = lines[key].most_common(1)
            place = Place(function=frame.function, file=frame.file, line=line or None)
            yield question.cause("new-code", message("cause-new-code", place=str(place)), place=place, sure=False)


def _innermost_new(stack: Stack, own: set[str], known: set[str]) -> Frame | None:
    """The innermost frame of own code that no run of the baseline had; None if it had all of them.

    Comprehensions do not count: they are parts of functions that are on the stack, too.
    """
    for frame in map(parse_frame, reversed(stack.frames)):
        if frame.file in own and frame.key not in known and not frame.function.endswith(">"):
            return frame
    return None


def _known(question: Question) -> set[str]:
    """Each function that was sampled in the baseline; in a duet, in build A."""
    run = question.run
    if run.plan.is_duet:
        phases = [phase for phase in measure(run).phases if phase.variant == A]
    else:
        phases = [phase for earlier in (run.baseline.runs if run.baseline else []) for phase in earlier.phases]
    profiles = [found for phase in phases for found in (phase.profile, phase.threads) if found is not None]
    return {key for profile in profiles for key in profile.functions}
