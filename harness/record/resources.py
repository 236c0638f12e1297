"""What the samplers read, each second: CPU, memory, threads, file descriptors, metrics; written as it is read.

Frames of kind ``resources``: ``epoch_s`` (wall clock), ``source`` (``target``, ``generator``, ``machine``,
``prometheus`` …) and ``values`` (name to number). Names carry their unit: ``cpu_percent`` (100 = one core),
``rss_bytes``, ``threads``, ``fds``, ``processes``, ``steal_percent``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from harness.record.frame_fields import check_fields
from harness.record.frames import FrameReader, FrameWriter


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of one source at one moment (``epoch_s``: seconds since 1970, wall clock)."""

    epoch_s: float
    source: str
    values: dict[str, float]


class ResourceWriter:
    """Appends readings. Safe to call from any thread."""

    def __init__(self, path: Path) -> None:
        self._frames = FrameWriter(path)
        self._lock = threading.Lock()

    def write(self, reading: Reading) -> None:
        frame = {
            "kind": "resources",
            "epoch_s": reading.epoch_s,
            "source": reading.source,
            "values": reading.values,
        }
        with self._lock:
            self._frames.write(frame)

    def close(self) -> None:
        self._frames.close()


def read_resources(path: Path) -> list[Reading]:
    """All readings, in order of writing; none where nothing was sampled. Raises :class:`HarnessError` on damage."""
    readings = []
    reader = FrameReader(path)
    for frame in reader.new_frames():
        try:
            check_fields(frame)
        except ValueError as fault:
            raise reader.not_understood(frame, fault) from fault
        if frame["kind"] == "resources":
            readings.append(Reading(frame["epoch_s"], frame["source"], frame["values"]))
    return readings
