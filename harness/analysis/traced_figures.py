"""The figures of traced requests with their 95 % intervals.

A figure is a mean over requests, a ratio of two sums over seconds: the variance is that of the residuals between blocks
of seconds, as for CPU time per request (:mod:`harness.analysis.target_usage`). What every request does alike, such as
five statements, has an interval without width.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

import numpy as np

from harness.analysis.intervals import FEWEST, around, block_variance
from harness.analysis.traces import Trace, phase_traces, records
from harness.metrics import TRACE_METRICS
from harness.metrics.theil_sen import Floats
from harness.metrics.traces import PerRequest, TracedWork
from harness.record.measurement import ALL, Figures, Interval
from harness.recording.run import PhaseRecord, RunRecording


def traced_figures(run: RunRecording, record: PhaseRecord, left_out: Container[int]) -> dict[str, Figures]:
    """The figures of each endpoint, and of all together, without requests that ended in the seconds ``left_out``.

    Empty without traces.
    """
    traces = phase_traces(run, record, left_out)
    if not traces:
        return {}
    parts = {ALL: [trace for of_endpoint in traces.values() for trace in of_endpoint], **traces}
    kinds = records(run)
    return {endpoint: _figures(work_of(found), kinds) for endpoint, found in parts.items()}


def work_of(traces: Sequence[Trace]) -> TracedWork:
    """What these requests did."""
    columns = np.array(
        [
            (trace.request.at_s, len(trace.statements), trace.time_ms["database"], trace.time_ms["downstream"])
            for trace in traces
        ],
        dtype=np.float64,
    ).reshape(-1, 4)
    return TracedWork(*columns.T)


def _figures(work: TracedWork, kinds: Container[str]) -> Figures:
    return {
        name: _interval(metric.statistic.of(work), work.at_s)
        for name, metric in TRACE_METRICS.items()
        if isinstance(metric.statistic, PerRequest) and metric.statistic.kind in kinds
    }


def _interval(values: Floats, at_s: Floats) -> Interval:
    value = float(values.mean())
    if len(values) < FEWEST:
        return Interval(value=value, low=0.0, high=None)
    seconds = np.floor(at_s - at_s.min()).astype(np.int64)
    residuals = np.asarray(np.bincount(seconds, weights=(values - value) / len(values)), dtype=np.float64)
    variance, degrees = block_variance(residuals)
    independent = float(values.var(ddof=1)) / len(values)
    low, high = around(value, math.sqrt(max(variance, independent)), degrees)
    return Interval(value=value, low=low, high=high)
