"""What the target served and used in each span in which it was sampled."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from harness.analysis.profiles import requests_during
from harness.record.profiles import Profile, SpanStack
from harness.recording.run import PhaseRecord


class SampledSpan(NamedTuple):
    """Part of a phase, in seconds of the run: the requests that it served, and the CPU time that its samples share."""

    start_s: float
    end_s: float
    requests: float
    cpu_s: float


def sampled_spans(record: PhaseRecord, profile: Profile, stacks: Sequence[SpanStack]) -> list[SampledSpan]:
    """The spans of ``profile``, of which ``stacks`` are the samples of threads at work.

    Samples share what the process used by its CPU clock, as in :mod:`harness.analysis.profiles`.
    """
    samples: Counter[tuple[int, int]] = Counter()
    for number, pid, stack in stacks:
        samples[number, pid] += stack.weight
    cpu_s: defaultdict[int, float] = defaultdict(float)
    for (number, pid), count in samples.items():
        seen_s, clock_s = count / profile.spans[number].rate_hz, profile.spans[number].cpu_s.get(pid, 0.0)
        cpu_s[number] += (min(seen_s, clock_s) if profile.kind == "cpu" else clock_s) if clock_s else seen_s
    return [
        SampledSpan(
            start_s=record.start_s + span.offset_s,
            end_s=record.start_s + span.offset_s + span.duration_s,
            requests=requests_during(record, span),
            cpu_s=cpu_s[number],
        )
        for number, span in enumerate(profile.spans)
    ]
