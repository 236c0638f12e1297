"""The target's CPU and memory in the live view, from the readings of the resources sampler."""

from __future__ import annotations

from collections import defaultdict, deque

from harness.errors import HarnessError
from harness.gates.run_totals import KEPT_S
from harness.record.frames import FrameReader
from harness.record.resources import READINGS
from harness.record.run_folder import RunFolder

_SOURCES = ("target", "build b")
"""In a duet, it is build B that is judged."""


class TargetFigures:
    """The latest readings of the target's processes, at most a minute of them, as they are written."""

    def __init__(self, folder: RunFolder) -> None:
        self._reader = FrameReader(folder.resources)
        self._values: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT_S))
        self._is_readable = True

    def update(self) -> None:
        """Read what is new. A damaged file costs these figures only."""
        try:
            readings = READINGS.new_entries(self._reader) if self._is_readable else []
        except (HarnessError, OSError):
            self._is_readable = False
            return
        for reading in readings:
            if reading.source in _SOURCES:
                for name, value in reading.values.items():
                    self._values[name].append(value)

    @property
    def cores(self) -> list[float]:
        """How many cores it used, second by second."""
        return [percent / 100 for percent in self._values["cpu_percent"]]

    @property
    def memory_bytes(self) -> list[float]:
        """Resident memory, second by second."""
        return list(self._values["rss_bytes"])
