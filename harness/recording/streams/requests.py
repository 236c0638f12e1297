"""The requests of a run under load, second by second: the journal; exported as ``timeline.parquet``.

The table has a row per second, phase and endpoint:

==================  ===========  ====================================================================================
second              int32        second of the run (see ``epoch_s`` in the file's metadata) in which requests ended
phase               int16        index in the plan of the phase in which they were started
method, name        string       the endpoint
requests, failures  int64
bytes_received      int64
failure_kinds       map          failures by their error
response, service,  struct       a histogram: ``sum_us``, ``max_us``, and sparse ``buckets`` (uint16) with their
failed                           ``counts`` (uint32); the layout is that of :mod:`harness.record.histogram`
==================  ===========  ====================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from harness.record import second_table as column
from harness.record.columns import counts, numbers, texts
from harness.record.journal import Journal, read_journal
from harness.record.second_accumulator import SecondAccumulator, packed
from harness.record.second_table import FAILED, KINDS, RESPONSE, SERVICE, SecondTable
from harness.recording.stream import Stream, Table

if TYPE_CHECKING:
    from harness.recording.recording import Recording

_HISTOGRAM = pa.struct(
    [
        ("sum_us", pa.int64()),
        ("max_us", pa.int64()),
        ("buckets", pa.list_(pa.uint16())),
        ("counts", pa.list_(pa.uint32())),
    ]
)

SCHEMA = pa.schema(
    [
        ("second", pa.int32()),
        ("phase", pa.int16()),
        ("method", pa.string()),
        ("name", pa.string()),
        ("requests", pa.int64()),
        ("failures", pa.int64()),
        ("bytes_received", pa.int64()),
        ("failure_kinds", pa.map_(pa.string(), pa.int64())),
        ("response", _HISTOGRAM),
        ("service", _HISTOGRAM),
        ("failed", _HISTOGRAM),
    ]
)


def endpoint_seconds(journal: Journal) -> SecondTable:
    """What ended in each second of the run, in a row per second, phase and endpoint."""
    tables = []
    for second in journal.seconds:
        table = second.table
        keys = packed(table.phase, np.zeros_like(table.phase), table.endpoint)
        if len(np.unique(keys)) < len(keys):  # two segments, or a worker that reported late
            rows = table.rows.copy()
            rows[:, column.SEGMENT] = 0
            table = SecondTable(rows, table.buckets, table.counts)
            sums = SecondAccumulator()
            sums.add_table(table, table.endpoint)
            table = sums.table(second.second)
        tables.append(table)
    return SecondTable.joined(tables)


def _table(recording: Recording) -> pa.Table:
    journal = recording.read(REQUESTS)
    table = endpoint_seconds(journal)
    kinds: dict[tuple[int, int, int], dict[str, int]] = {}
    for failure in journal.failures:
        key = (failure.second, failure.phase, failure.endpoint)
        of_second = kinds.setdefault(key, {})
        of_second[failure.failure] = of_second.get(failure.failure, 0) + failure.count
    keys = list(zip(table.second.tolist(), table.phase.tolist(), table.endpoint.tolist(), strict=True))
    endpoints = [journal.endpoints[number] for _, _, number in keys]
    columns = [
        numbers(table.second, np.int32),
        numbers(table.phase, np.int16),
        texts([endpoint.method for endpoint in endpoints]),
        texts([endpoint.name for endpoint in endpoints]),
        *(numbers(table.rows[:, number], np.int64) for number in (column.REQUESTS, column.FAILURES, column.BYTES)),
        counts([kinds.get(key, {}) for key in keys]),
        *(_histograms(table, kind) for kind in (RESPONSE, SERVICE, FAILED)),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _histograms(table: SecondTable, kind: int) -> pa.StructArray:
    kinds = np.full(len(table), kind)
    if kind == SERVICE:  # in the closed model it is the response time
        kinds[table.rows[:, column.IS_OPEN] == 0] = RESPONSE
    rows = np.arange(len(table))
    sizes, buckets, counts = table.histograms(rows * KINDS + kinds)
    ends = numbers(np.concatenate([[0], np.cumsum(sizes)]), np.int32)
    return pa.StructArray.from_arrays(
        [
            numbers(table.rows[rows, column.SUMS_US + kinds], np.int64),
            numbers(table.rows[rows, column.MAXIMA_US + kinds], np.int64),
            pa.ListArray.from_arrays(ends, numbers(buckets, np.uint16)),
            pa.ListArray.from_arrays(ends, numbers(counts, np.uint32)),
        ],
        fields=list(_HISTOGRAM),
    )


REQUESTS = Stream(
    name="requests",
    files=("journal",),
    read=lambda folder: read_journal(folder.journal),
    table=Table("timeline.parquet", _table),
    artifacts={"journal": "journal", "timeline": "timeline.parquet"},
)
