"""What was broken on purpose; exported as ``faults.parquet``.

The table has a row per fault that began: ``name``, ``kind``, ``phase``, ``began_s`` and ``ended_s`` (from the run's
start; not a number if it was never undone), ``error`` (empty if nothing went wrong).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from harness.record.columns import numbers, texts
from harness.record.fault_events import FAULT_EVENTS, FaultEvent, fault_spans
from harness.recording.stream import Stream, Table
from harness.recording.streams.requests import REQUESTS

if TYPE_CHECKING:
    from harness.recording.recording import Recording

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("name", "kind", "phase")),
        *((name, pa.float64()) for name in ("began_s", "ended_s")),
        ("error", pa.string()),
    ]
)


def _table(recording: Recording) -> pa.Table:
    epoch_s = recording.read(REQUESTS).epoch_s
    spans = fault_spans(recording.read(FAULTS))
    ends = [math.nan if span.ended_s is None else span.ended_s - epoch_s for span in spans]
    columns = [
        *(texts([getattr(span, name) for span in spans]) for name in ("name", "kind", "phase")),
        numbers([span.began_s - epoch_s for span in spans], np.float64),
        numbers(ends, np.float64),
        texts([str(span.error or "") for span in spans]),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


FAULTS: Stream[list[FaultEvent]] = Stream(
    name="faults",
    files=("faults",),
    read=lambda folder: FAULT_EVENTS.read(folder.faults),
    table=Table("faults.parquet", _table),
    artifacts={"faults": "faults.parquet"},
)
