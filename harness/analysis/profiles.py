"""A phase's CPU profile by function, scaled to the CPU time that the target's processes used.

Samples show where the time went. How much it was, the kernel's CPU clocks say: those of each process, over the spans
in which it was sampled. A process that holds its GIL for longer than its clock counts was waiting for a core; its
samples are then worth less. One whose clock counts more works without the GIL as well (native code, the kernel): that
part is in none of its samples of the GIL, but in those of all threads.

Samples near each other resemble each other. By how much is taken from the data: the variance of a function's share
between spans, as a multiple of what independent samples would have (Pearson's statistic over its degrees of freedom;
McCullagh & Nelder 1989, Generalized Linear Models, section 4.5).

Spans with a second that a fault disturbed are left out.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from harness.analysis.contamination import contamination_of
from harness.analysis.functions import functions_of, is_working, parse_frame, working
from harness.record.histogram import Ints
from harness.record.measurement import FunctionSamples, PhaseProfile
from harness.record.profiles import Profile, ProfileKind, Span, SpanStack, Stack, read_folded, read_spans
from harness.recording.run import PhaseRecord, RunRecording

Floats = npt.NDArray[np.float64]

FEWEST_SPANS = 3
"""Fewer do not show how samples vary."""
_DEFAULT_HZ = 100.0


def stacks_of(run: RunRecording, path: str) -> list[Stack]:
    """The stacks of a profile's file; none where it is missing, because a lost profile must not stop the judging.

    Raises :class:`HarnessError` where it is damaged.
    """
    file = run.folder.path / path
    return read_folded(file) if file.is_file() else []


def profiles_of(run: RunRecording, record: PhaseRecord, kind: ProfileKind) -> list[Profile]:
    """The profiles of that kind of a phase, and of its variant in a duet, with the spans that no fault disturbed."""
    disturbed = contamination_of(record, run).not_counted
    found = []
    for profile in run.profiles.profiles:
        if (profile.kind, profile.phase, profile.variant) == (kind, record.index, record.variant):
            spans = [span for span in profile.spans if disturbed.isdisjoint(_seconds(record, span))]
            if len(spans) == len(profile.spans):
                found.append(profile)
            elif spans:
                found.append(replace(profile, spans=spans))
    return found


def _seconds(record: PhaseRecord, span: Span) -> range:
    start_s = record.start_s + span.offset_s
    return range(math.floor(start_s), math.ceil(start_s + span.duration_s))


def stacks_by_span(run: RunRecording, profile: Profile) -> list[SpanStack]:
    """The stacks of the spans of ``profile``, one of :func:`profiles_of`; none where they are not recorded.

    Raises :class:`HarnessError` where they are damaged.
    """
    file = run.folder.path / profile.spans_path if profile.spans_path else None
    if file is None or not file.is_file():
        return []
    recorded = next(each for each in run.profiles.profiles if each.spans_path == profile.spans_path)
    kept = {span.offset_s: number for number, span in enumerate(profile.spans)}
    numbers = [kept.get(span.offset_s) for span in recorded.spans]
    stacks = ((numbers[stack.span], stack) for stack in read_spans(file, recorded))
    return [stack._replace(span=number) for number, stack in stacks if number is not None]


def busy_stacks(run: RunRecording, record: PhaseRecord, kind: ProfileKind) -> list[Stack]:
    """All CPU stacks of busy threads in a phase; none if it was not sampled."""
    found: list[Stack] = []
    for profile in profiles_of(run, record, kind):
        whole = profile in run.profiles.profiles
        found += stacks_of(run, profile.path) if whole else [each.stack for each in stacks_by_span(run, profile)]
    return working(found)


def phase_profile(run: RunRecording, record: PhaseRecord, kind: ProfileKind) -> PhaseProfile | None:
    """The CPU profile of a phase by function, of busy threads; None if it was not sampled."""
    found = profiles_of(run, record, kind)
    stacks = busy_stacks(run, record, kind)
    if not stacks or record.length_s <= 0:
        return None
    profile = found[0]
    parts: Sequence[Profile | Span] = [profile] if profile in run.profiles.profiles else profile.spans
    plain = PhaseProfile(
        samples=sum(stack.weight for stack in stacks),
        rate_hz=profile.rate_hz or _DEFAULT_HZ,
        requests=sum(requests_during(record, part) for part in parts),
        functions=functions_of(stacks),
    )
    samples = _by_span(run, profile)
    return _scaled(plain, stacks, samples, profile) if samples and plain.requests else plain


@dataclass(slots=True)
class _Sampled:
    """What one process's samples showed: how many in each span, in all and by function."""

    totals: Counter[int] = field(default_factory=Counter)
    functions: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))


def _by_span(run: RunRecording, profile: Profile) -> dict[int, _Sampled]:
    """The samples of each process by span."""
    found: defaultdict[int, _Sampled] = defaultdict(_Sampled)
    for span, pid, stack in stacks_by_span(run, profile):
        if not is_working(stack):
            continue
        process = found[pid]
        process.totals[span] += stack.weight
        for key in {parse_frame(text).key for text in stack.frames}:
            process.functions[key][span] += stack.weight
    return found


def _scaled(
    plain: PhaseProfile, stacks: Sequence[Stack], samples: dict[int, _Sampled], profile: Profile
) -> PhaseProfile:
    """The profile with each process's samples worth what its clock says."""
    clocks_s = {pid: sum(span.cpu_s.get(pid, 0.0) for span in profile.spans) for pid in samples}
    seen_s = {
        pid: sum(count / profile.spans[span].rate_hz for span, count in process.totals.items())
        for pid, process in samples.items()
    }
    used_s = sum(used for span in profile.spans for used in span.cpu_s.values())
    cpu_s = {
        pid: min(seen_s[pid], clocks_s[pid])
        if profile.kind == "cpu" and clocks_s[pid]
        else clocks_s[pid] or seen_s[pid]
        for pid in samples
    }
    worth_ms = {pid: 1000 * cpu_s[pid] / process.totals.total() / plain.requests for pid, process in samples.items()}
    callers = _callers(stacks)
    functions = {}
    for key, counted in plain.functions.items():
        in_it = {pid: process.functions[key] for pid, process in samples.items() if key in process.functions}
        functions[key] = FunctionSamples(
            own=counted.own,
            total=counted.total,
            cpu_ms=_short(sum(worth_ms[pid] * seen.total() for pid, seen in in_it.items())),
            dispersion=_short(_dispersion(key, samples, len(profile.spans))),
            caller=callers.get(key),
        )
    return PhaseProfile(
        samples=plain.samples,
        rate_hz=plain.rate_hz,
        requests=plain.requests,
        functions=functions,
        spans=len(profile.spans),
        sample_ms=1000 * sum(cpu_s.values()) / plain.samples / plain.requests,
        clock_ms=1000 * used_s / plain.requests,
        busy=sum(seen_s.values()) / used_s if used_s else None,
        python=profile.python,
    )


def _short(value: float | None) -> float | None:
    """To five digits: the store keeps these of each function and run."""
    return None if value is None else float(f"{value:.5g}")


def _dispersion(key: str, samples: dict[int, _Sampled], spans: int) -> float | None:
    """The variance of a function's share between spans, over that of independent samples; None with too few spans."""
    totals, counts = np.zeros(spans), np.zeros(spans)
    for process in samples.values():
        for span, count in process.totals.items():
            totals[span] += count
        for span, count in process.functions.get(key, {}).items():
            counts[span] += count
    counts, totals = counts[totals > 0], totals[totals > 0]
    share = counts.sum() / totals.sum()
    if len(totals) < FEWEST_SPANS or share >= 1:
        return None
    return float(((counts - share * totals) ** 2 / (totals * share * (1 - share))).sum() / (len(totals) - 1))


def _callers(stacks: Sequence[Stack]) -> dict[str, str]:
    """The function that calls each one in most samples."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for stack in stacks:
        keys = [parse_frame(text).key for text in stack.frames]
        for outer, inner in itertools.pairwise(keys):
            if outer != inner:
                found[inner][outer] += stack.weight
    return {key: seen.most_common(1)[0][0] for key, seen in found.items()}


def requests_during(record: PhaseRecord, part: Profile | Span) -> float:
    """The phase's requests while the sampler was on; seconds that it covers in part count in part.

    In a duet, those of one start of the target: each start has the same part, and one is sampled.
    """
    start_s = record.start_s + part.offset_s
    end_s = min(start_s + part.duration_s, record.end_s)
    second = record.table.second
    inside = _shared_s(second, record.start_s, record.end_s)
    share = _shared_s(second, start_s, end_s) / np.where(inside > 0, inside, 1.0)
    found = float((record.table.requests * np.where(inside > 0, share, 0.0)).sum())
    return found / (1 if record.workers is None else record.workers.starts)


def _shared_s(second: Ints, start_s: float, end_s: float) -> Floats:
    """How much of each ``second`` lies within a span."""
    shared: Floats = np.maximum(0.0, np.minimum(end_s, second + 1.0) - np.maximum(start_s, second))
    return shared
