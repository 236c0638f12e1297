"""Series as single values, put into the flat arrays that workers send and journals hold."""

from __future__ import annotations

import numpy as np

from harness.record.histogram import Histogram
from harness.record.series import Series
from harness.record.series_table import KINDS, SeriesTable


def table_of(second: int, every: list[Series]) -> SeriesTable:
    """The table of these series, all of one second; the inverse of ``Series.all_of``."""
    if not every:
        return SeriesTable.empty()
    nothing = Histogram.empty()
    is_open = [one.service is not one.response for one in every]
    histograms = [
        histogram
        for one in every
        for histogram in (one.response, one.service if one.service is not one.response else nothing, one.failed)
    ]
    return SeriesTable(
        keys=np.array([(second, one.phase, one.segment, one.endpoint) for one in every], dtype=np.int64),
        is_open=np.array(is_open),
        totals=np.array([(one.requests, one.failures, one.bytes_received) for one in every], dtype=np.int64),
        sums_us=np.array([histogram.sum_us for histogram in histograms], dtype=np.int64).reshape(-1, KINDS),
        maxima_us=np.array([histogram.max_us for histogram in histograms], dtype=np.int64).reshape(-1, KINDS),
        sizes=np.array([len(histogram.indices) for histogram in histograms], dtype=np.int64).reshape(-1, KINDS),
        buckets=np.concatenate([histogram.indices for histogram in histograms]).astype(np.uint16),
        counts=np.concatenate([histogram.counts for histogram in histograms]).astype(np.uint32),
    )
