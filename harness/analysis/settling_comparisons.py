"""What would settle an uncertain comparison: longer phases, more runs or more requests."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.messages import Message, message

_MOST_TIMES_LONGER = 20
_MOST_RUNS = 30


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a figure rests on."""

    runs_a: int
    runs_b: int
    seconds: int
    """Of the shortest phase among them; of a bench the fewest rounds."""
    between: float
    """How far the difference may be off however long the phases are, as half a 95 % interval."""


def settling(
    worsening: float, low: float, high: float, margin: float, evidence: Evidence, *, by_time: bool
) -> Message | None:
    """What would narrow the interval of a ``worsening`` until it shows one or the other; None if nothing reasonable.

    All are on the scale on which the interval is symmetric. A figure is settled where half of its interval is below
    the larger of its distances to no change and to the margin. Half an interval shrinks with the root of the time or
    of the runs that it rests on; time does not narrow what differs between runs, nor does it count a bench's rounds.
    """
    to_margin = margin - worsening
    distance, reach = (worsening, worsening - low) if worsening > to_margin else (to_margin, high - worsening)
    if not math.isfinite(high - low):
        return message("compare-settle-requests")
    if distance <= 0:
        return None
    n, m, seconds = evidence.runs_a, evidence.runs_b, evidence.seconds
    if by_time and n == m == 1 and distance > evidence.between:
        longer = max(reach**2 - evidence.between**2, 0.0) / (distance**2 - evidence.between**2)
        if longer <= _MOST_TIMES_LONGER:
            return message("compare-settle-longer", seconds=seconds, needed=math.ceil(seconds * longer / 10) * 10)
    runs = max(math.ceil(max(n, m) * (reach / distance) ** 2), max(n, m) + 1)
    return message("compare-settle-runs", needed=runs, n=n, m=m) if runs <= _MOST_RUNS else None
