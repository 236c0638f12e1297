"""The run as tables for other tools: ``timeline.parquet`` and ``resources.parquet``, made from what was recorded.

``timeline.parquet`` has a row per second, phase and endpoint:

==================  ===========  ====================================================================================
second              int32        second of the run (see ``epoch_s`` in the file's metadata) in which requests ended
phase               int16        index in the plan of the phase in which they were started
method, name        string       the endpoint
requests, failures  int64
bytes_received      int64
failure_kinds       map          failures by what they say
response, service,  struct       a histogram: ``sum_us``, ``max_us``, and sparse ``buckets`` (uint16) with their
failed                           ``counts`` (uint32); the layout is that of :mod:`harness.record.histogram`
==================  ===========  ====================================================================================

``resources.parquet`` has a row per reading and value: ``at_s`` (from the run's start), ``epoch_s``, ``source``,
``name``, ``value``. Beside what was sampled it holds the load: source ``load`` (``users``) and ``worker-N`` (``cpu``,
``lag_ms``, ``users``, ``iterations``, ``late``, ``waiting``, ``starved``, ``throttled``, ``stolen``), at the end of
each second.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.record.columns import counts, lists, numbers, texts
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from harness.record.journal import Journal, read_journal
from harness.record.resources import Reading, read_resources
from harness.record.run_folder import RunFolder

_HISTOGRAM = pa.struct(
    [
        ("sum_us", pa.int64()),
        ("max_us", pa.int64()),
        ("buckets", pa.list_(pa.uint16())),
        ("counts", pa.list_(pa.uint32())),
    ]
)

TIMELINE = pa.schema(
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

RESOURCES = pa.schema(
    [
        ("at_s", pa.float64()),
        ("epoch_s", pa.float64()),
        ("source", pa.string()),
        ("name", pa.string()),
        ("value", pa.float64()),
    ]
)


def write_tables(folder: RunFolder) -> None:
    """Write both tables of a run folder. Raises :class:`HarnessError` where its journal or resources are damaged."""
    journal = read_journal(folder.journal)
    write_timeline(folder.timeline_table, journal)
    write_resources(folder.resources_table, journal, read_resources(folder.resources))


def endpoint_seconds(journal: Journal) -> dict[tuple[int, int, int], list[EndpointSecond]]:
    """What ended in each second of the run, by second, index of the phase and index of the endpoint."""
    groups: dict[tuple[int, int, int], list[EndpointSecond]] = {}
    for second in journal.seconds:
        for entry in second.endpoint_seconds:
            groups.setdefault((second.second, entry.phase, entry.endpoint), []).append(entry)
    return groups


def write_timeline(path: Path, journal: Journal) -> None:
    """Write ``timeline.parquet`` (see the module's first lines)."""
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
    _write(path, pa.Table.from_arrays(columns, schema=TIMELINE), journal)


def write_resources(path: Path, journal: Journal, readings: Sequence[Reading]) -> None:
    """Write ``resources.parquet`` (see the module's first lines)."""
    _write(path, resources_table(journal, readings), journal)


def resources_table(journal: Journal, readings: Sequence[Reading]) -> pa.Table:
    """What ``resources.parquet`` holds."""
    load = [
        Reading(journal.epoch_s + second.second + 1, source, values)
        for second in journal.seconds
        for source, values in (
            ("load", {"users": float(second.users)}),
            *(
                (
                    f"worker-{state.worker}",
                    {
                        "cpu": state.cpu,
                        "lag_ms": state.lag_ms,
                        "users": float(state.users),
                        "iterations": float(state.iterations),
                        "late": float(state.late),
                        "waiting": float(state.waiting),
                        "starved": state.starved,
                        "throttled": state.throttled,
                        "stolen": state.stolen,
                    },
                )
                for state in second.workers
            ),
        )
    ]
    rows = [
        (reading, name, value)
        for reading in sorted([*readings, *load], key=lambda reading: reading.epoch_s)
        for name, value in reading.values.items()
    ]
    columns = [
        numbers([reading.epoch_s - journal.epoch_s for reading, _, _ in rows], np.float64),
        numbers([reading.epoch_s for reading, _, _ in rows], np.float64),
        texts([reading.source for reading, _, _ in rows]),
        texts([name for _, name, _ in rows]),
        numbers([value for _, _, value in rows], np.float64),
    ]
    return pa.Table.from_arrays(columns, schema=RESOURCES)


def _histograms(histograms: list[Histogram]) -> pa.StructArray:
    """A column of histograms."""
    return pa.StructArray.from_arrays(
        [
            numbers([one.sum_us for one in histograms], np.int64),
            numbers([one.max_us for one in histograms], np.int64),
            lists([one.indices for one in histograms], np.uint16),
            lists([one.counts for one in histograms], np.uint32),
        ],
        fields=list(_HISTOGRAM),
    )


def _write(path: Path, table: pa.Table, journal: Journal) -> None:
    about = {"harness_schema": "1", "run_id": journal.run_id, "epoch_s": repr(journal.epoch_s)}
    pq.write_table(table.replace_schema_metadata(about), path, compression="zstd")
