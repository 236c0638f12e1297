"""What would settle an inconclusive gate: more time, or more baseline runs.

Each is found by asking the gate's own rule again, so every source of noise that the rule knows takes part. An interval
shrinks with the root of the time that it rests on; the noise between runs does not, which is why no length of one run
settles some gates. More baseline runs are taken to vary as those there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from harness.record.measurement import Interval

MOST_TIMES_LONGER = 100
"""A run that would have to be longer by more than this is not what settles a gate."""
MOST_RUNS = 20
_HALVINGS = 40

Decides = Callable[[Interval, Sequence[Interval]], bool]
"""Whether a gate would be decided by a figure of the run, and the baseline's figures."""


@dataclass(frozen=True, slots=True)
class Settling:
    """What would settle a gate: each None where it would not."""

    times_longer: float | None
    """How many times as long the phase would have to be."""
    baseline_runs: int | None
    """How many runs the baseline would need, for a run of this length."""


def settling(observed: Interval, baselines: Sequence[Interval], decides: Decides) -> Settling:
    """What would decide a gate that ``observed`` and ``baselines`` (empty for an absolute limit) do not."""
    more = (list(islice(cycle(baselines), count)) for count in range(len(baselines) + 1, MOST_RUNS + 1))
    runs = next((len(longer) for longer in more if decides(observed, longer)), None) if baselines else None
    return Settling(_times_longer(observed, lambda each: decides(each, baselines)), runs)


def detectable(observed: Interval, limit: float, *, upper: bool) -> float | None:
    """The figure from which on the gate would have failed, its interval being relatively as wide; None: no figure."""
    if upper:
        return limit * observed.value / observed.low if observed.low > 0 else None
    return limit * observed.value / observed.high if observed.high else None


def _times_longer(observed: Interval, decides: Callable[[Interval], bool]) -> float | None:
    if observed.high is None or not decides(_narrowed(observed, MOST_TIMES_LONGER)):
        return None
    too_short, enough = 1.0, float(MOST_TIMES_LONGER)
    for _ in range(_HALVINGS):
        middle = (too_short + enough) / 2
        too_short, enough = (too_short, middle) if decides(_narrowed(observed, middle)) else (middle, enough)
    return enough


def _narrowed(interval: Interval, longer: float) -> Interval:
    assert interval.high is not None
    value, root = interval.value, math.sqrt(longer)
    return Interval(value=value, low=value - (value - interval.low) / root, high=value + (interval.high - value) / root)
