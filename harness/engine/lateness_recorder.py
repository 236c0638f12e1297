"""Records how late arrivals were started; numpy aggregates them some hundreds at a time.

That many make it cheap, and that few keep users from waiting for it: a whole second's worth, at 8,000 arrivals/s,
stopped all users for 2 ms, and each stop is in a response time.
"""

from __future__ import annotations

import numpy as np

from harness.engine.phase_track import PhaseTrack
from harness.record.endpoint_second import Lateness
from harness.record.second_table import SecondTable

_FOLD_AT = 3 * 1024
"""Numbers to aggregate at a time, three an arrival."""


class LatenessRecorder:
    """The recorder of one worker. An arrival belongs to the phase in which it was due, which ``track`` knows."""

    def __init__(self, track: PhaseTrack) -> None:
        self._track = track
        self._noted: list[float] = []
        self._tables: list[SecondTable] = []

    def note(self, due_s: float, delay_s: float, own_s: float) -> None:
        """An arrival due at ``due_s`` of the run started ``delay_s`` late; the generator caused ``own_s`` of that."""
        noted = self._noted
        noted += (due_s, delay_s, own_s)
        if len(noted) >= _FOLD_AT:
            self._fold()

    def _fold(self) -> None:
        due_s, delay_s, own_s = np.array(self._noted, dtype=np.float64).reshape(-1, 3).T
        self._noted.clear()
        phases, _, _ = self._track.at(due_s)
        delay_us, own_us = (np.maximum(np.rint(late_s * 1e6), 0).astype(np.int64) for late_s in (delay_s, own_s))
        self._tables.append(Lateness.table(phases, delay_us, own_us))

    def take(self) -> SecondTable:
        """Return and forget all that was noted; see :meth:`harness.record.endpoint_second.Lateness.table`."""
        self._fold()
        tables, self._tables = self._tables, []
        return SecondTable.joined(tables)
