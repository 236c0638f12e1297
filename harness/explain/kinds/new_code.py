"""The target's own functions that no run of the baseline was seen in, where an invariant was broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.analysis.functions import parse_frame
from harness.analysis.measurement import measure
from harness.analysis.profiles import profiles_of, stacks_of
from harness.explain.questions import Question
from harness.messages import message
from harness.plan.duet import A
from harness.record.explanation import Cause, Place
from harness.record.profiles import ProfileKind

_FEWEST_SAMPLES = 2
_MOST = 3
_KINDS: tuple[ProfileKind, ...] = ("cpu", "threads", "waits")


def causes(question: Question) -> Iterator[Cause]:
    run = question.run
    known = _known(question)
    if question.family != "invariant" or not known:
        return
    samples: Counter[str] = Counter()
    lines: dict[str, Counter[int]] = {}
    for record in run.phases:
        for profile in (found for kind in _KINDS for found in profiles_of(run, record, kind)):
            for stack in stacks_of(run, profile.path) if record.variant != A else []:
                for frame in {parse_frame(text) for text in stack.frames}:
                    if frame.file in profile.own and frame.key not in known and not frame.function.startswith("<"):
                        samples[frame.key] += stack.weight
                        lines.setdefault(frame.key, Counter())[frame.line] += stack.weight
    for key, count in samples.most_common(_MOST):
        if count >= _FEWEST_SAMPLES:
            frame = parse_frame(key)
            [(line, _)] = lines[key].most_common(1)
            place = Place(function=frame.function, file=frame.file, line=line or None)
            yield question.cause("new-code", message("cause-new-code", place=str(place)), place=place, sure=False)


def _known(question: Question) -> set[str]:
    """Each function that was sampled in the baseline; in a duet, in build A."""
    run = question.run
    if run.plan.is_duet:
        phases = [phase for phase in measure(run).phases if phase.variant == A]
    else:
        phases = [phase for earlier in (run.baseline.runs if run.baseline else []) for phase in earlier.phases]
    profiles = [found for phase in phases for found in (phase.profile, phase.threads) if found is not None]
    return {key for profile in profiles for key in profile.functions}
