"""Whether the target's memory grew without end: a robust slope over each steady phase, kept only where it lasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.functions import parse_frame, stacks_of
from harness.plan.phases import phase_kind
from harness.record.resources import Reading
from harness.recording.run import PhaseRecord, RunRecording

FEWEST_READINGS = 10
SMALLEST_GROWTH = 4 << 20
SMALLEST_SHARE = 0.02
LASTING = 0.5
"""Warm-up slows down: the second half must grow at this share of the first half's rate, or more."""
_MIB = float(1 << 20)


def leak_warnings(run: RunRecording) -> list[str]:
    """One warning for each measured steady phase in which the target's memory grew throughout."""
    warnings = []
    for record in run.phases:
        if not phase_kind(record.plan.kind).one_level or not record.plan.measured:
            continue
        growth = _growth(record, run.readings, run.journal.epoch_s)
        if growth is not None:
            slope, low, high, gained = (value / _MIB for value in growth)
            requests = sum(entry.requests for _, entry in record.endpoint_seconds)
            each = f", {growth[3] / requests / 1024:.1f} KiB a request" if requests else ""
            warnings.append(
                f"target memory grew {slope:.2g} MiB/s [{low:.2g}…{high:.2g}] throughout phase {record.plan.name!r} "
                f"({gained:.0f} MiB in {record.length_s:.0f} s{each}): it may leak{_culprit(run)}"
            )
    return warnings


def _growth(
    record: PhaseRecord, readings: Sequence[Reading], epoch_s: float
) -> tuple[float, float, float, float] | None:
    """Slope with its 95 % interval (bytes/s) and the growth over the phase (bytes); None where there is no lasting one.

    Slopes are Theil's and Sen's (the median over all pairs of readings; Sen 1968, JASA 63), so that a step up or a
    collection does not make one.
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
    # Loading scipy.stats takes a second; a controller that only follows the gates need not wait for it.
    from scipy.stats import theilslopes

    at_s, rss = np.array(seen).T
    half = len(at_s) // 2
    first, _, _, _ = theilslopes(rss[:half], at_s[:half])
    second, _, second_low, _ = theilslopes(rss[half:], at_s[half:])
    slope, _, low, high = (float(value) for value in theilslopes(rss, at_s))
    gained = slope * (at_s[-1] - at_s[0])
    lasting = low > 0 and second_low > 0 and second >= LASTING * first
    if not lasting or gained < max(SMALLEST_GROWTH, SMALLEST_SHARE * rss[0]):
        return None
    return slope, low, high, float(gained)


def _culprit(run: RunRecording) -> str:
    """Who left most of it behind, by the memory profile, as the end of a sentence.

    Bytes count for the innermost function outside Python's standard library: that a list grew in there is no news.
    """
    left: dict[str, int] = {}
    for profile in run.profiles.profiles:
        if profile.kind == "memory-leaked":
            for stack in stacks_of(run, profile):
                frames = [parse_frame(text) for text in stack.frames]
                own = next((frame for frame in reversed(frames) if frame.file and not frame.is_standard), frames[-1])
                left[own.key] = left.get(own.key, 0) + stack.weight
    if not left:
        return ""
    name = max(left, key=lambda key: left[key])
    return f"; the memory profile shows {left[name] / _MIB:.1f} MiB left behind by {name}"
