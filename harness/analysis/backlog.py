"""Finds the seconds in which mostly earlier requests end, because a queue takes time to clear."""

from __future__ import annotations

import numpy as np

from harness.analysis.samples import Sample
from harness.record.histogram import lowest_of
from harness.record.second_table import Bools

BACKLOG = 0.01
"""The share of the requests of a second that may have begun before it was over."""


def add_backlog(seconds: Bools, sample: Sample) -> None:
    """Add to ``seconds`` (shape ``(n,)``) those right after them in which what began in them was still ending."""
    lasted_s = lowest_of(sample.buckets) / 1e6
    for end in _ends(seconds):
        at = end
        while at < len(seconds) and not seconds[at]:
            # Half a second of what ends in a second has passed since its start, on average.
            late = (sample.seconds == at) & (lasted_s > at + 0.5 - end)
            if sample.timed[at] and sample.counts[late].sum() <= BACKLOG * sample.timed[at]:
                break
            seconds[at] = True
            at += 1


def add_held_up(seconds: Bools, sample: Sample) -> None:
    """Add to ``seconds`` all later ones in which requests end that began before they were over, however much later."""
    lasted_s = lowest_of(sample.buckets) / 1e6
    for end in _ends(seconds):
        late = (sample.seconds >= end) & (lasted_s > sample.seconds + 0.5 - end)
        held = np.bincount(sample.seconds[late], weights=sample.counts[late], minlength=len(seconds))
        seconds |= held > BACKLOG * sample.timed


def _ends(seconds: Bools) -> list[int]:
    """The first second after each of its spans."""
    ends: list[int] = (np.flatnonzero(seconds[:-1] & ~seconds[1:]) + 1).tolist()
    return ends
