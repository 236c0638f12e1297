"""Which processes of the target grew in memory in a steady phase, and which function kept the memory.

The slope is the Theil-Sen estimator, so that a step up or a garbage collection does not make one. It is taken process
by process: a leak in one of several is a small part of what they hold together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.functions import Frame, parse_frame
from harness.analysis.profiles import stacks_of
from harness.messages import Message, message
from harness.metrics.formatting import Estimate
from harness.metrics.target_usage import growth_of
from harness.metrics.theil_sen import Floats, theil_sen
from harness.metrics.units import BYTES_PER_MINUTE
from harness.plan.phases import phase_kind
from harness.record.findings import Leak
from harness.record.measurement import Interval
from harness.record.notice import Notice
from harness.record.profiles import Stack, process_of_stack
from harness.record.resources import process_of
from harness.recording.run import PhaseRecord, RunRecording

_FEWEST_READINGS = 10
_SMALLEST_GROWTH_BYTES = 4 << 20
_SMALLEST_SHARE = 0.02
"""Of what was held as the phase began."""
_LASTING = 0.5
"""Warm-up slows down: the second half must grow at least at this share of the first half's rate."""
_MOST_READINGS = 2000
"""Of a longer phase, every second or third reading and so on counts: there is a slope for each *pair*."""
_THROUGHOUT = 0.8
"""The share of a phase's readings that a process must have: one that started in it is still warming up."""


@dataclass(frozen=True, slots=True)
class _Growth:
    """How memory grew: bytes a minute with the 95 % interval, and bytes in all."""

    slope: float
    low: float
    high: float
    gained: float


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """The function that kept most memory, as the end of a sentence; empty where no memory profile shows it.

    ``share`` (0…1) is its part of all that stayed allocated, ``line`` where it allocated most of that.
    """

    function: str = ""
    file: str = ""
    line: int = 0
    bytes: int = 0
    share: float = 0.0

    def __str__(self) -> str:
        if not self.function:
            return ""
        where = f" ({self.file}:{self.line})" if self.line else f" ({self.file})" if self.file else ""
        return f": `{self.function}`{where} kept {self.share:.0%} of what stayed allocated".replace("%", " %")


def leaks_of(run: RunRecording) -> list[Leak]:
    """One for each measured steady phase in which memory grew throughout."""
    return [
        leak
        for record in run.phases
        if phase_kind(record.plan.kind).one_level and record.plan.measured
        if (leak := _leak(run, record)) is not None
    ]


def _leak(run: RunRecording, record: PhaseRecord) -> Leak | None:
    at_s, series = _memory_of(run, record)
    throughout = {pid: rss for pid, rss in series.items() if np.isfinite(rss).mean() >= _THROUGHOUT}
    if not throughout:
        return None
    growing = [pid for pid, rss in throughout.items() if _growth(at_s, rss)]
    together = sum((throughout[pid] for pid in growing or throughout), np.zeros(len(at_s)))
    growth = _growth(at_s, together)
    if growth is None:  # a process grew while the others shrank by as much, or none did
        return None
    pids = [pid for pid in growing if pid is not None]
    left = _left_behind(run, record.variant, pids)
    params = {
        "growth": Estimate(Interval(value=growth.slope, low=growth.low, high=growth.high), BYTES_PER_MINUTE.name),
        "phase": record.plan.name,
        "left": left,
    }
    found = bool(left.function)
    return Leak(
        phase=record.plan.name,
        variant=record.variant,
        pids=pids,
        processes=sum(pid is not None for pid in throughout),
        slope=growth.slope,
        low=growth.low,
        high=growth.high,
        gained_bytes=growth.gained,
        seconds=record.length_s,
        requests=sum(part.requests for part in record.totals),
        function=left.function or None,
        file=left.file or None,
        line=left.line or None,
        kept_bytes=left.bytes if found else None,
        kept_share=left.share if found else None,
        notice=Notice.of(_sentence(pids, len(throughout), params)),
    )


def _sentence(pids: Sequence[int], processes: int, params: Mapping[str, object]) -> Message:
    if not pids or processes == 1:
        return message("target-memory-grew", **params)
    if len(pids) == 1:
        return message("process-memory-grew", pid=pids[0], processes=processes, **params)
    return message("processes-memory-grew", count=len(pids), processes=processes, **params)


def _memory_of(run: RunRecording, record: PhaseRecord) -> tuple[Floats, dict[int | None, Floats]]:
    """When memory was read in the phase, and what each process held then (NaN: it was not there).

    Without readings by process, and in a duet, there is one series (None) of all of them together.
    """
    whole = f"build {record.variant}" if record.turns else "target"
    began_s, end_s = (run.journal.epoch_s + at_s for at_s in (record.start_s, record.end_s))
    seen: dict[int | None, dict[float, float]] = defaultdict(dict)
    for reading in run.readings:
        pid = process_of(reading.source)
        ours = reading.source == whole or (pid is not None and not record.turns)
        if ours and "rss_bytes" in reading.values and began_s <= reading.epoch_s < end_s:
            seen[pid][reading.epoch_s - began_s] = reading.values["rss_bytes"]
    if len(seen) > 1:
        seen.pop(None, None)
    times = sorted({at_s for series in seen.values() for at_s in series})
    times = times[:: max(1, -(-len(times) // _MOST_READINGS))]
    return np.array(times), {
        pid: np.array([series.get(at_s, np.nan) for at_s in times]) for pid, series in seen.items()
    }


def _growth(at_s: Floats, rss: Floats) -> _Growth | None:
    """How memory grew; None where it did not grow throughout."""
    known = np.isfinite(rss)
    at_s, rss = at_s[known], rss[known]
    if len(at_s) < _FEWEST_READINGS:
        return None
    half = len(at_s) // 2
    first, _, _ = theil_sen(at_s[:half], rss[:half])
    second, second_low, _ = theil_sen(at_s[half:], rss[half:])
    slope, low, high = growth_of(at_s, rss) or theil_sen(at_s / 60, rss)
    gained = slope / 60 * float(at_s[-1] - at_s[0])
    lasting = low > 0 and second_low > 0 and second >= _LASTING * first
    if not lasting or gained < max(_SMALLEST_GROWTH_BYTES, _SMALLEST_SHARE * rss[0]):
        return None
    return _Growth(slope, low, high, gained)


def _left_behind(run: RunRecording, variant: str, pids: Sequence[int]) -> LeftBehind:
    """What the memory profile shows of the processes ``pids``, or of all if it has none of them."""
    stacks = [
        stack
        for profile in run.profiles.profiles
        if profile.kind == "memory-leaked" and profile.variant in ("", variant)
        for stack in stacks_of(run, profile.path)
    ]
    stacks = [stack for stack in stacks if process_of_stack(stack) in pids] or stacks
    kept: dict[tuple[str, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for frame, weight in _keepers(stacks):
        kept[frame.function, frame.file][frame.line] += weight
    if not kept:
        return LeftBehind()
    (function, file), lines = max(kept.items(), key=lambda entry: sum(entry[1].values()))
    most = sum(lines.values())
    total = sum(stack.weight for stack in stacks)
    return LeftBehind(function, file, max(lines, key=lambda line: lines[line]), most, most / total)


def _keepers(stacks: Sequence[Stack]) -> Iterator[tuple[Frame, int]]:
    """The innermost function of each stack outside Python's standard library: that a list grew inside is no news."""
    for stack in stacks:
        frames = [parse_frame(text) for text in stack.frames]
        yield (
            next((frame for frame in reversed(frames) if frame.file and not frame.is_standard), frames[-1]),
            stack.weight,
        )
