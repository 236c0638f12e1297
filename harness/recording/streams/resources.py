"""Readings of target, machine and load generator; exported as ``resources.parquet``.

The table has a row per reading and value: ``at_s`` (from the run's start), ``epoch_s``, ``source``, ``name``,
``value``. Beside what was sampled it holds the load: source ``load`` (``users``) and ``worker-N`` (``cpu``,
``lag_ms``, ``users``, ``iterations``, ``late``, ``waiting``, ``starved``, ``throttled``, ``stolen``), at the end of
each second.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from harness.record.columns import numbers, texts
from harness.record.journal import Journal
from harness.record.resources import READINGS, Reading
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
        ("value", pa.float64()),
    ]
)

_WORKER = ("cpu", "lag_ms", "users", "iterations", "late", "waiting", "starved", "throttled", "stolen")


def _table(recording: Recording) -> pa.Table:
    journal = recording.read(REQUESTS)
    readings = sorted([*recording.read(RESOURCES), *_load(journal)], key=lambda reading: reading.epoch_s)
    rows = [(reading, name, value) for reading in readings for name, value in reading.values.items()]
    columns = [
        numbers([reading.epoch_s - journal.epoch_s for reading, _, _ in rows], np.float64),
        numbers([reading.epoch_s for reading, _, _ in rows], np.float64),
        texts([reading.source for reading, _, _ in rows]),
        texts([name for _, name, _ in rows]),
        numbers([value for _, _, value in rows], np.float64),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _load(journal: Journal) -> Iterator[Reading]:
    for second in journal.seconds:
        end_s = journal.epoch_s + second.second + 1
        yield Reading(end_s, "load", {"users": float(second.users)})
        for worker in second.workers:
            values = {name: float(getattr(worker, name)) for name in _WORKER}
            yield Reading(end_s, f"worker-{worker.worker}", values)


RESOURCES = Stream(
    name="resources",
    files=("resources", *REQUESTS.files),
    read=lambda folder: READINGS.read(folder.resources),
    table=Table("resources.parquet", _table),
    artifacts={"resources": "resources.parquet"},
)
