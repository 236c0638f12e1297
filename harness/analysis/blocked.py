"""Phases in which no request could begin, because the target had not responded to earlier ones."""

from __future__ import annotations

import numpy as np

from harness.record.histogram import lowest_of
from harness.record.second_table import KINDS, RESPONSE, SecondTable
from harness.recording.run import PhaseRecord, RunRecording


def blocked_by(record: PhaseRecord, run: RunRecording) -> int:
    """How many requests of earlier phases were under way from before the phase until its end; 0 if any began in it.

    In the closed model, users whose requests are not responded to send none. The phase then has no figure to fail by.
    """
    if len(record.table):
        return 0
    earlier = (other for other in run.phases if other.variant == record.variant and other.start_s < record.start_s)
    return sum(_under_way(other.table, record.start_s, record.start_s + record.load_s) for other in earlier)


def _under_way(table: SecondTable, begin_s: float, end_s: float) -> int:
    """How many began before ``begin_s`` and ended after ``end_s``, to a second."""
    sizes, buckets, counts = table.histograms(np.arange(len(table)) * KINDS + RESPONSE)
    ended_s = np.repeat(table.second, sizes)
    lasted_s = lowest_of(buckets) / 1e6
    return int(counts[(ended_s + 1 > end_s) & (ended_s - lasted_s <= begin_s)].sum())
