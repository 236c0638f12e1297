"""Readings of the target's surroundings; exported as ``metrics.parquet``.

The table has a row per reading and series: ``at_s`` (from the run's start), ``epoch_s``, ``source``, ``name``, ``kind``
(``gauge`` or ``counter``), ``value``. It is a stream of its own because a counter means something only beside the
reading before, which the stream ``resources`` does not know of its values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from harness.record.columns import numbers, texts
from harness.record.metric_readings import METRIC_READINGS, MetricReading
from harness.recording.stream import Stream, Table
from harness.recording.streams.requests import REQUESTS

if TYPE_CHECKING:
    from harness.recording.recording import Recording

SCHEMA = pa.schema(
    [
        ("at_s", pa.float64()),
        ("epoch_s", pa.float64()),
        ("source", pa.string()),
        ("name", pa.string()),
        ("kind", pa.string()),
        ("value", pa.float64()),
    ]
)


def _table(recording: Recording) -> pa.Table:
    began_s = recording.read(REQUESTS).epoch_s
    readings: list[MetricReading] = recording.read(METRICS)
    rows = [
        (reading.epoch_s, reading.source, name, kind, value)
        for reading in sorted(readings, key=lambda reading: reading.epoch_s)
        for kind, values in (("gauge", reading.gauges), ("counter", reading.counters))
        for name, value in values.items()
    ]
    columns = [
        numbers([row[0] - began_s for row in rows], np.float64),
        numbers([row[0] for row in rows], np.float64),
        *(texts([str(row[at]) for row in rows]) for at in (1, 2, 3)),
        numbers([row[4] for row in rows], np.float64),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


METRICS: Stream[list[MetricReading]] = Stream(
    name="metrics",
    files=("metrics",),
    read=lambda folder: METRIC_READINGS.read(folder.metrics),
    table=Table("metrics.parquet", _table),
    artifacts={"metrics": "metrics.parquet"},
)
