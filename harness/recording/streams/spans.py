"""What the target recorded of traced requests (OpenTelemetry); exported as ``spans.parquet``.

The table has a row per span: ``trace``, ``span``, ``parent`` (hexadecimal), ``at_s`` (its start, from the run's start
by the target's clock), ``duration_ms``, ``kind`` (``server``, ``database``, ``cache``, ``downstream``, ``pool`` or
``own``), ``failed``, ``service``, ``name``, ``text`` (the statement, without parameters).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from harness.record.columns import numbers, texts
from harness.record.spans import read_spans
from harness.recording.stream import Stream, Table
from harness.recording.streams.requests import REQUESTS

if TYPE_CHECKING:
    from harness.recording.recording import Recording

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("trace", "span", "parent")),
        ("at_s", pa.float64()),
        ("duration_ms", pa.float64()),
        ("kind", pa.string()),
        ("failed", pa.bool_()),
        *((name, pa.string()) for name in ("service", "name", "text")),
    ]
)


def _table(recording: Recording) -> pa.Table:
    epoch_s = recording.read(REQUESTS).epoch_s
    spans = recording.read(SPANS).spans
    columns = [
        *(texts([getattr(span, name).hex() for span in spans]) for name in ("trace", "span", "parent")),
        numbers([span.start_ns / 1e9 - epoch_s for span in spans], np.float64),
        numbers([span.length_ms for span in spans], np.float64),
        texts([span.kind for span in spans]),
        _switches([span.failed for span in spans]),
        *(texts([getattr(span, name) for span in spans]) for name in ("service", "name", "text")),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _switches(values: Sequence[bool]) -> pa.Array:
    bits = np.packbits(np.array(values, dtype=np.bool_), bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])


SPANS = Stream(
    name="spans",
    files=("spans",),
    read=lambda folder: read_spans(folder.spans),
    table=Table("spans.parquet", _table),
    artifacts={"spans": "spans.parquet"},
)
