"""How fast the machine was: how long reference work took beside the target."""

from __future__ import annotations

import numpy as np

from harness.analysis.samples import Floats
from harness.record.resources import REFERENCE_WORK
from harness.recording.run import RunRecording

_LONGEST_GAP_S = 5.0
"""A reading covers at most this much time before it."""


def reference_ms(run: RunRecording, begin_s: Floats, end_s: Floats) -> Floats:
    """How long reference work took on average between moments of the run, in ms; NaN where it was not measured.

    It is the geometric mean of its tasks: none of them decides by its length how fast the machine is.
    """
    found = [
        (reading.epoch_s - run.journal.epoch_s, float(np.exp(np.log([*reading.values.values()]).mean())) / 1000)
        for reading in run.readings
        if reading.source == REFERENCE_WORK
    ]
    if not found:
        return np.full(len(begin_s), np.nan)
    at_s, took_ms = np.array(found).T
    since_s = np.minimum(np.diff(at_s, prepend=at_s[0] - 1), _LONGEST_GAP_S)
    # Each reading covers the time since the previous one; a part of that time counts in proportion.
    edges = np.ravel(np.column_stack([at_s - since_s, at_s]))
    covered = np.ravel(np.column_stack([np.zeros(len(since_s)), since_s])).cumsum()
    weighed = np.ravel(np.column_stack([np.zeros(len(since_s)), since_s * took_ms])).cumsum()
    during_s, sums = (np.interp(end_s, edges, each) - np.interp(begin_s, edges, each) for each in (covered, weighed))
    return np.where(during_s > (end_s - begin_s) / 2, sums / np.maximum(during_s, 1e-9), np.nan)
