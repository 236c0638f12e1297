"""What the target's threads and tasks waited for in a phase, as time per request.

All threads are sampled a few times a second, sleeping or not, and apart from them those that do not sleep. What is
classified as a wait (:mod:`harness.analysis.wait_kinds`) less those of the same stack that were busy is the number of
threads that wait. Over the rate of the samples and the requests meanwhile, it is a time per request (Little's law).
Tasks of event loops are sampled only while they wait, and count in the same way.

Waits come in bursts, and all threads of a sample are seen in the same one. So the interval is that of a ratio of sums
over the spans of the phase (Cochran 1977, section 6.4), drawn towards what is usual, as there are few of them (Smyth
2004). It is never narrower than that of independent samples.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.analysis.blocked import blocked_by
from harness.analysis.intervals import around
from harness.analysis.profiles import profiles_of, requests_during, stacks_by_span
from harness.analysis.wait_kinds import Wait, is_hint, wait_of
from harness.record.measurement import Interval, WaitTime
from harness.record.profiles import Profile, ProfileKind
from harness.recording.run import PhaseRecord, RunRecording

SHORTEST_MS = 0.01
MOST = 20
_DISPERSION = 10.0
"""How much more they vary than independent samples are assumed to, because dozens of threads wait at once."""
_PRIOR_SPANS = 4
"""So many spans that assumption is worth: a phase has few (see :mod:`harness.analysis.growth`)."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampledWaits:
    """What a phase's samples show of waits: for how long threads waited in each place, by span."""

    profile: Profile
    requests: Floats
    """Meanwhile, by span."""
    waiting_s: list[tuple[Wait, Floats]]


def waits_of(run: RunRecording, record: PhaseRecord) -> list[WaitTime] | None:
    """The waits of a phase, the longest first; None if it was not sampled for them."""
    sampled = sampled_waits(run, record)
    if sampled is None:
        return None
    if sampled.requests.sum() <= 0:
        return []
    spans = sampled.profile.spans
    lengths_s, sample_s = np.array([span.duration_s for span in spans]), 1 / spans[-1].rate_hz
    waits = []
    for wait, waiting_s in sampled.waiting_s:
        ms = _per_request(waiting_s, sampled.requests, lengths_s, sample_s)
        if ms.value >= SHORTEST_MS:
            function, file, line = wait.place.function, wait.place.file, wait.place.line
            waits.append(WaitTime(kind=wait.kind, what=wait.what, function=function, file=file, line=line, ms=ms))
    return sorted(waits, key=lambda each: -each.ms.value)[:MOST]


def sampled_waits(run: RunRecording, record: PhaseRecord) -> SampledWaits | None:
    """The waits of a phase by span; None if it was not sampled for them. Computed once."""
    return run.once(f"waits of {record.index} {record.variant}", lambda: _sampled_waits(run, record))


def _sampled_waits(run: RunRecording, record: PhaseRecord) -> SampledWaits | None:
    found = profiles_of(run, record, "waits")
    if not found or not found[0].spans or not record.length_s:
        return None
    profile = found[0]
    own = {file for each in (*found, *profiles_of(run, record, "cpu")) for file in each.own}
    lengths_s = np.array([span.duration_s for span in profile.spans])
    requests = np.array([requests_during(record, span) for span in profile.spans])
    if requests.sum() <= 0:  # no request ended: those that began, or earlier ones, are still waiting
        whole = sum(part.requests for part in record.totals) or blocked_by(record, run)
        requests = lengths_s * whole / record.length_s
    busy = _busy(run, record, own, _hints(run, profile))
    sampled_s = float(lengths_s.sum())
    waiting_s = []
    for key, (wait, counts) in _counted(run, profile, own).items():
        running = busy.get(key, 0.0) * sampled_s
        seconds = counts / np.array([span.rate_hz for span in profile.spans])
        waiting_s.append((wait, seconds * max(0.0, 1 - running / seconds.sum())))
    return SampledWaits(profile, requests, waiting_s)


def _counted(run: RunRecording, profile: Profile, own: set[str]) -> dict[tuple[str, str, str], tuple[Wait, Floats]]:
    """How often each wait was seen in each span; its place has the line that was seen most."""
    counts: defaultdict[tuple[str, str, str], Floats] = defaultdict(lambda: np.zeros(len(profile.spans)))
    seen: defaultdict[tuple[str, str, str], Counter[Wait]] = defaultdict(Counter)
    for span, _, stack in stacks_by_span(run, profile):
        wait = wait_of(stack.frames, own)
        if wait is not None:
            counts[wait.key][span] += stack.weight
            seen[wait.key][wait] += stack.weight
    return {key: (seen[key].most_common(1)[0][0], counted) for key, counted in counts.items()}


def _hints(run: RunRecording, profile: Profile) -> dict[str, str]:
    """What lines wait for, by frame: only stacks of the waits end with it."""
    stacks = (stack.frames for _, _, stack in stacks_by_span(run, profile))
    return {frames[-2]: frames[-1] for frames in stacks if len(frames) > 1 and is_hint(frames[-1])}


def _busy(
    run: RunRecording, record: PhaseRecord, own: set[str], hints: dict[str, str]
) -> dict[tuple[str, str, str], float]:
    """How many threads were busy with such a stack, on average."""
    kind: ProfileKind = "threads"
    found: Counter[tuple[str, str, str]] = Counter()
    for profile in profiles_of(run, record, kind)[:1]:
        looks = sum(span.duration_s * span.rate_hz for span in profile.spans)
        stacks = stacks_by_span(run, profile)
        if not looks or not stacks:
            continue
        for _, _, stack in stacks:
            hint = hints.get(stack.frames[-1])
            wait = wait_of((*stack.frames, hint) if hint else stack.frames, own)
            if wait is not None:
                found[wait.key] += stack.weight
        return {key: count / looks for key, count in found.items()}
    return {}


def _per_request(waiting_s: Floats, requests: Floats, lengths_s: Floats, sample_s: float) -> Interval:
    """Time per request in ms; ``waiting_s`` are thread seconds by span of ``lengths_s``, ``sample_s`` each."""
    total, spans = float(requests.sum()), len(requests)
    value = float(waiting_s.sum()) / total
    independent = sample_s * float(waiting_s.sum()) / total**2
    # Requests are counted, so they only narrow the interval where waits come with them.
    together, alone = waiting_s - value * requests, waiting_s - lengths_s * waiting_s.sum() / lengths_s.sum()
    squares = min(float((residuals**2).sum()) for residuals in (together, alone)) / total**2
    variance = (_PRIOR_SPANS * _DISPERSION * independent + spans * squares) / (_PRIOR_SPANS + spans - 1)
    low, high = around(value, math.sqrt(max(variance, independent)), _PRIOR_SPANS + spans - 1)
    return Interval(value=1000 * value, low=1000 * low, high=1000 * high)
