"""Endpoint seconds as single values, put into the flat arrays of workers and journals."""

from __future__ import annotations

import numpy as np

from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram, Ints, buckets_of
from harness.record.second_table import SecondTable


def histogram_of(values_us: list[int] | Ints) -> Histogram:
    """The histogram of single values (µs)."""
    values = np.asarray(values_us, dtype=np.int64)
    if not len(values):
        return Histogram.empty()
    indices, counts = np.unique(buckets_of(values), return_counts=True)
    return Histogram(indices, counts.astype(np.int64), int(values.sum()), int(values.max()))


def table_of(second: int, every: list[EndpointSecond]) -> SecondTable:
    """The table of these series, all of one second; the inverse of ``EndpointSecond.all_of``."""
    if not every:
        return SecondTable.empty()
    nothing = Histogram.empty()
    every_histograms = [
        (one, is_open, (one.response, one.service if is_open else nothing, one.failed))
        for one in every
        for is_open in (one.service is not one.response,)
    ]
    rows = [
        [
            *(second, one.phase, one.segment, one.endpoint, is_open, one.requests, one.failures, one.bytes_received),
            *(histogram.sum_us for histogram in histograms),
            *(histogram.max_us for histogram in histograms),
            *(len(histogram.indices) for histogram in histograms),
        ]
        for one, is_open, histograms in every_histograms
    ]
    parts = [histogram for *_, histograms in every_histograms for histogram in histograms]
    return SecondTable(
        np.array(rows, dtype=np.int64),
        np.concatenate([histogram.indices for histogram in parts]).astype(np.uint16),
        np.concatenate([histogram.counts for histogram in parts]).astype(np.uint32),
    )
