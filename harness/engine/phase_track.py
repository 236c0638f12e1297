"""Which phase and segment runs at a moment. A request belongs to those in which it started."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.record.histogram import Ints
from harness.record.second_table import AFTER


class PhaseTrack:
    """The segments of a run so far, in order of time."""

    def __init__(self) -> None:
        self._starts = [(float("-inf"), 0, 0, False)]
        """When each begins (seconds of the run), its phase, its number (:data:`AFTER` once the phase's own are over),
        and whether the phase sets arrivals."""
        self._tabulate()

    def begin(self, phase: int, at_s: float, durations_s: list[float], *, is_open: bool, first: int = 0) -> None:
        """A phase begins at ``at_s`` with segments of these lengths; it replaces what was planned after that moment.

        ``first`` is the number of the first of them: a search goes on with more segments.
        """
        self._starts = [start for start in self._starts if start[0] < at_s]
        for segment, duration_s in enumerate(durations_s or [0.0], first):
            self._starts.append((at_s, phase, segment, is_open))
            at_s += duration_s
        if durations_s:
            self._starts.append((at_s, phase, AFTER, is_open))
        self._tabulate()

    def end(self, at_s: float) -> None:
        """The load ends at ``at_s``: users start nothing but what their current iteration still holds."""
        _, phase, _, is_open = [start for start in self._starts if start[0] <= at_s][-1]
        self._starts = [start for start in self._starts if start[0] < at_s]
        self._starts.append((at_s, phase, AFTER, is_open))
        self._tabulate()

    def _tabulate(self) -> None:
        at_s, phase, segment, is_open = zip(*self._starts, strict=True)
        self._at_s, self._open = np.array(at_s), np.array(is_open, dtype=np.bool_)
        self._phase, self._segment = np.array(phase, dtype=np.int64), np.array(segment, dtype=np.int64)

    def at(self, at_s: npt.NDArray[np.float64]) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
        """Of each of these moments the phase, the segment, and whether the phase is open (sets arrivals)."""
        which = np.searchsorted(self._at_s, at_s, side="right") - 1
        return self._phase[which], self._segment[which], self._open[which]
