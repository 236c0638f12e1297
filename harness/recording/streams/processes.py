"""Starts and ends of the target's processes."""

from __future__ import annotations

from harness.record.process_events import PROCESS_EVENTS
from harness.recording.stream import Stream

PROCESSES = Stream(
    name="processes",
    files=("processes",),
    read=lambda folder: PROCESS_EVENTS.read(folder.processes),
    artifacts={"processes": "processes"},
)
