"""All kinds of data that a run can record. A new one is a file here and a line in :data:`STREAMS`."""

from __future__ import annotations

from typing import Any

from harness.recording.stream import Stream
from harness.recording.streams.contract import CONTRACT
from harness.recording.streams.faults import FAULTS
from harness.recording.streams.metrics import METRICS
from harness.recording.streams.processes import PROCESSES
from harness.recording.streams.profiles import PROFILES
from harness.recording.streams.requests import REQUESTS
from harness.recording.streams.resources import RESOURCES
from harness.recording.streams.rounds import ROUNDS
from harness.recording.streams.spans import SPANS
from harness.recording.streams.statements import STATEMENTS

STREAMS: tuple[Stream[Any], ...] = (
    REQUESTS,
    RESOURCES,
    METRICS,
    STATEMENTS,
    PROCESSES,
    FAULTS,
    PROFILES,
    ROUNDS,
    SPANS,
    CONTRACT,
)

__all__ = [
    "CONTRACT",
    "FAULTS",
    "METRICS",
    "PROCESSES",
    "PROFILES",
    "REQUESTS",
    "RESOURCES",
    "ROUNDS",
    "SPANS",
    "STATEMENTS",
    "STREAMS",
]
