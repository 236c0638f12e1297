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

from harness.record.columns import counts, lists, numbers, texts
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from harness.record.journal import Journal, read_journal
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


def endpoint_seconds(journal: Journal) -> dict[tuple[int, int, int], list[EndpointSecond]]:
    """What ended in each second of the run, by second, index of the phase and index of the endpoint."""
    groups: dict[tuple[int, int, int], list[EndpointSecond]] = {}
    for second in journal.seconds:
        for entry in second.endpoint_seconds:
            groups.setdefault((second.second, entry.phase, entry.endpoint), []).append(entry)
    return groups


def _table(recording: Recording) -> pa.Table:
    journal = recording.read(REQUESTS)
    kinds: dict[tuple[int, int, int], dict[str, int]] = {}
    for failure in journal.failures:
        key = (failure.second, failure.phase, failure.endpoint)
        of_second = kinds.setdefault(key, {})
        of_second[failure.failure] = of_second.get(failure.failure, 0) + failure.count
    groups = endpoint_seconds(journal)
    endpoints = [journal.endpoints[endpoint] for _, _, endpoint in groups]
    parts = list(groups.values())
    columns = [
        numbers([second for second, _, _ in groups], np.int32),
        numbers([phase for _, phase, _ in groups], np.int16),
        texts([endpoint.method for endpoint in endpoints]),
        texts([endpoint.name for endpoint in endpoints]),
        numbers([sum(part.requests for part in group) for group in parts], np.int64),
        numbers([sum(part.failures for part in group) for group in parts], np.int64),
        numbers([sum(part.bytes_received for part in group) for group in parts], np.int64),
        counts([kinds.get(key, {}) for key in groups]),
        _histograms([Histogram.merged([part.response for part in group]) for group in parts]),
        _histograms([Histogram.merged([part.service for part in group]) for group in parts]),
        _histograms([Histogram.merged([part.failed for part in group]) for group in parts]),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _histograms(histograms: list[Histogram]) -> pa.StructArray:
    return pa.StructArray.from_arrays(
        [
            numbers([one.sum_us for one in histograms], np.int64),
            numbers([one.max_us for one in histograms], np.int64),
            lists([one.indices for one in histograms], np.uint16),
            lists([one.counts for one in histograms], np.uint32),
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
