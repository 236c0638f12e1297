"""What the target's processes used in a phase, and the 95 % intervals of its metrics.

CPU time per request is a ratio of two sums over seconds. Its variance is that of the linearised ratio estimator
(Cochran 1977, Sampling Techniques, section 6.4): of the residuals ``cpu - ratio · requests``. They share each second's
fortune as response times do, so the variance is taken between overlapping blocks of seconds; see
:mod:`harness.analysis.intervals`.

The growth of memory is the Theil-Sen slope with Sen's interval (1968, JASA 63), over blocks of readings.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

from harness.analysis.intervals import FEWEST, Bounds, around, block_variance
from harness.analysis.machine_speed import reference_ms
from harness.analysis.samples import kept_in, samples_of
from harness.metrics.metric import Metric
from harness.metrics.target import CpuPerRequest, MemoryGrowth, PeakMemory
from harness.metrics.target_usage import TargetUsage
from harness.metrics.theil_sen import Floats
from harness.plan.duet import BLOCK
from harness.record.journal import Journal
from harness.record.measurement import Interval
from harness.recording.run import PhaseRecord, RunRecording

_LONGEST_GAP_S = 5.0
"""Readings further apart than this do not show what happened between them."""
_IDLE = 0.01
"""What a build of a duet uses while the other has its turn, as a share of what it uses in its own."""


def usage_of(record: PhaseRecord, run: RunRecording, left_out: Collection[int] = ()) -> TargetUsage:
    """What was recorded between the phase's first and last whole second, where readings and requests cover each other.

    A reading lies within a second, whose requests count in proportion: load that begins or ends in the middle of one
    would distort it. Readings over times that lie in the seconds ``left_out`` for the most part are, too. In a duet it
    is by block of turns instead, without those that touch ``left_out``.
    """
    if record.turns:
        return _usage_by_blocks(record, run, left_out)
    first_s, last_s = math.ceil(record.start_s), math.floor(record.start_s + record.load_s)
    ended = _ended(run.journal)
    edges = np.arange(len(ended))
    readings = [
        (reading.epoch_s - run.journal.epoch_s, reading.values["cpu_percent"])
        for reading in run.readings
        if reading.source == "target" and "cpu_percent" in reading.values
    ]
    cpu_s, requests, spans = [], [], []
    for (begin_s, _), (end_s, percent) in pairwise(readings):
        whole = first_s <= begin_s and end_s <= last_s and 0 < end_s - begin_s <= _LONGEST_GAP_S
        if whole and _shared_s(begin_s, end_s, left_out) <= (end_s - begin_s) / 2:
            cpu_s.append(percent / 100 * (end_s - begin_s))
            requests.append(float(np.diff(np.interp([begin_s, end_s], edges, ended))[0]))
            spans.append((begin_s, end_s))
    at_s, rss_bytes = _memory(record, run, left_out=left_out)
    speed = reference_ms(run, *np.array(spans, dtype=np.float64).reshape(-1, 2).T)
    return TargetUsage(np.array(cpu_s), np.array(requests), at_s, rss_bytes, speed)


def _shared_s(begin_s: float, end_s: float, seconds: Collection[int]) -> float:
    """How much of a time lies in some seconds of the run."""
    touched = range(math.floor(begin_s), math.ceil(end_s))
    return sum(min(end_s, second + 1) - max(begin_s, second) for second in touched if second in seconds)


def _memory(
    record: PhaseRecord, run: RunRecording, source: str = "target", left_out: Collection[int] = ()
) -> tuple[Floats, Floats]:
    length_s = record.length_s if record.turns else record.load_s
    begin_s, end_s = (run.journal.epoch_s + at_s for at_s in (record.start_s, record.start_s + length_s))
    seen = [
        (reading.epoch_s, reading.values["rss_bytes"])
        for reading in run.readings
        if reading.source == source and "rss_bytes" in reading.values and begin_s <= reading.epoch_s < end_s
        if int(reading.epoch_s - run.journal.epoch_s) not in left_out
    ]
    at_s, rss_bytes = np.array(seen, dtype=np.float64).reshape(-1, 2).T
    return at_s, rss_bytes


def _usage_by_blocks(record: PhaseRecord, run: RunRecording, left_out: Collection[int]) -> TargetUsage:
    """What one build of a duet used in each block of turns; empty where its processes are not known."""
    source = f"build {record.variant}"
    readings = [reading for reading in run.readings if reading.source == source]
    if not readings:
        return TargetUsage(np.zeros(0), np.zeros(0))
    requests = next(samples_of(record, run.journal))[1].requests
    began_s = run.journal.epoch_s + record.start_s
    used_s = used_by_block(
        np.array([reading.epoch_s - began_s for reading in readings]),
        np.array([reading.values["cpu_s"] for reading in readings]),
        np.array([segment.duration_s for segment in record.plan.segments]),
        record.turns,
    )
    kept, n = kept_in(record, left_out), len(requests)
    speed = _speed_by_blocks(record, run)[:n][kept]
    return TargetUsage(used_s[:n][kept], requests[kept], *_memory(record, run, source, left_out), speed)


def _speed_by_blocks(record: PhaseRecord, run: RunRecording) -> Floats:
    """How long reference work took in the turns of one build, by block."""
    lengths_s = np.array([segment.duration_s for segment in record.plan.segments])
    ends_s = record.start_s + lengths_s.cumsum()
    took_ms = reference_ms(run, ends_s - lengths_s, ends_s).reshape(-1, BLOCK)
    known = np.isfinite(took_ms) & np.array(record.turns).reshape(-1, BLOCK)
    return np.asarray(
        np.where(known, took_ms, 0.0).sum(axis=1) / np.where(known.any(axis=1), known.sum(axis=1), np.nan)
    )


def used_by_block(read_s: Floats, read_cpu_s: Floats, turns_s: Floats, own: Sequence[bool]) -> Floats:
    """The CPU seconds that a build used in each block of turns, of which some are its own.

    ``read_cpu_s`` is what it had used at ``read_s``, in seconds from the start of the phase. Blocks end between two
    readings. What was used between those is spread over the build's own turns, in which it works.
    """
    worked_s = turns_s * np.where(own, 1.0, _IDLE)
    at_s, work_s = (
        np.concatenate([[-_LONGEST_GAP_S, 0.0], spans.cumsum(), [spans.sum() + _LONGEST_GAP_S]])
        for spans in (turns_s, worked_s)
    )
    edges = work_s[1:-1:BLOCK]
    return np.diff(np.interp(edges, np.interp(read_s, at_s, work_s), read_cpu_s))


def _ended(journal: Journal) -> Floats:
    """How many requests had ended by the start of each second of the run, whichever phase had started them."""
    counts = np.zeros(max((second.second for second in journal.seconds), default=-1) + 2)
    for second in journal.seconds:
        counts[second.second + 1] += second.table.requests.sum()
    return np.asarray(counts.cumsum())


def interval_of(usage: TargetUsage, metric: Metric[TargetUsage]) -> Interval | None:
    """A metric's figure and its 95 % interval; None where nothing was recorded to compute it from."""
    value = metric.value(usage)
    if value is None:
        return None
    low, high = _bounds(metric.statistic, value, usage)
    return Interval(value=value, low=low, high=high)


def _bounds(statistic: object, value: float, usage: TargetUsage) -> Bounds:
    match statistic:
        case CpuPerRequest():
            if len(usage.cpu_s) < FEWEST:
                return 0.0, None
            residuals = 1000 * usage.cpu_s - value * usage.requests
            variance, degrees = block_variance(residuals / usage.requests.sum())
            return around(value, math.sqrt(variance), degrees)
        case PeakMemory():
            return value, value
        case MemoryGrowth():
            assert usage.growth is not None
            return usage.growth[1:]
    raise TypeError(f"no interval for {statistic}")
