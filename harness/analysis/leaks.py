"""Whether the target's memory grew throughout a steady phase, by a robust slope over the phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.functions import parse_frame
from harness.analysis.profiles import stacks_of
from harness.messages import Message, message
from harness.metrics.theil_sen import theil_sen
from harness.plan.phases import phase_kind
from harness.record.resources import Reading
from harness.recording.run import PhaseRecord, RunRecording

FEWEST_READINGS = 10
SMALLEST_GROWTH = 4 << 20
SMALLEST_SHARE = 0.02
LASTING = 0.5
"""Warm-up slows down: the second half must grow at least at this share of the first half's rate."""
_MOST_READINGS = 2000
"""Of a longer phase, every second or third reading and so on counts: there is a slope for each *pair*."""
_MIB = float(1 << 20)


def leak_warnings(run: RunRecording) -> list[Message]:
    """One warning for each measured steady phase in which the target's memory grew throughout."""
    warnings = []
    for record in run.phases:
        if not phase_kind(record.plan.kind).one_level or not record.plan.measured:
            continue
        growth = _growth(record, run.readings, run.journal.epoch_s)
        if growth is not None:
            warnings.append(
                message("target-memory-grew", growth=growth, phase=record.plan.name, left=_left_behind(run))
            )
    return warnings


@dataclass(frozen=True, slots=True)
class MemoryGrowth:
    """How memory grew over a phase: bytes a second with the 95 % interval, bytes in all, and how long it took."""

    slope: float
    low: float
    high: float
    gained: float
    seconds: float
    requests: int

    def __str__(self) -> str:
        slope, low, high, gained = (value / _MIB for value in (self.slope, self.low, self.high, self.gained))
        each = f", {self.gained / self.requests / 1024:.1f} KiB a request" if self.requests else ""
        return f"{slope:.2g} MiB/s [{low:.2g}…{high:.2g}] ({gained:.0f} MiB in {self.seconds:.0f} s{each})"


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """The function that left most memory behind, as the end of a sentence; empty where no memory profile shows it."""

    function: str | None
    bytes: int

    def __str__(self) -> str:
        if self.function is None:
            return ""
        return f"; the memory profile shows {self.bytes / _MIB:.1f} MiB left behind by {self.function}"


def _growth(record: PhaseRecord, readings: Sequence[Reading], epoch_s: float) -> MemoryGrowth | None:
    """How memory grew; None where it did not grow throughout.

    The slope is the Theil-Sen estimator, so that a step up or a garbage collection does not make one.
    """
    seen = [
        (reading.epoch_s - epoch_s, reading.values["rss_bytes"])
        for reading in readings
        if reading.source == "target"
        and "rss_bytes" in reading.values
        and record.start_s <= reading.epoch_s - epoch_s < record.end_s
    ]
    if len(seen) < FEWEST_READINGS:
        return None
    at_s, rss = np.array(seen[:: -(-len(seen) // _MOST_READINGS)]).T
    half = len(at_s) // 2
    first, _, _ = theil_sen(at_s[:half], rss[:half])
    second, second_low, _ = theil_sen(at_s[half:], rss[half:])
    slope, low, high = theil_sen(at_s, rss)
    gained = slope * (at_s[-1] - at_s[0])
    lasting = low > 0 and second_low > 0 and second >= LASTING * first
    if not lasting or gained < max(SMALLEST_GROWTH, SMALLEST_SHARE * rss[0]):
        return None
    requests = sum(part.requests for part in record.totals)
    return MemoryGrowth(slope, low, high, float(gained), record.length_s, requests)


def _left_behind(run: RunRecording) -> LeftBehind:
    """What the memory profile shows. Bytes count for the innermost function outside Python's standard library: that a
    list grew inside of it is no news.
    """
    left: dict[str, int] = {}
    for profile in run.profiles.profiles:
        if profile.kind == "memory-leaked":
            for stack in stacks_of(run, profile.path):
                frames = [parse_frame(text) for text in stack.frames]
                own = next((frame for frame in reversed(frames) if frame.file and not frame.is_standard), frames[-1])
                left[own.key] = left.get(own.key, 0) + stack.weight
    if not left:
        return LeftBehind(None, 0)
    name = max(left, key=lambda key: left[key])
    return LeftBehind(name, left[name])
