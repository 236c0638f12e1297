"""Which phase and segment of the plan runs at a moment. A request belongs to the one in which it was started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.record.histogram import Ints
from harness.record.second_table import AFTER


@dataclass(frozen=True, slots=True)
class SegmentStart:
    """From ``at_s`` on (seconds of the run) segment ``segment`` of phase ``phase`` runs."""

    at_s: float
    phase: int
    segment: int
    """:data:`AFTER` once the phase's own segments are over."""
    open: bool
    """Whether the phase sets arrivals (open model) and not users."""


class PhaseTrack:
    """The segments of a run so far, in order of time."""

    def __init__(self) -> None:
        self._starts = [SegmentStart(float("-inf"), 0, 0, False)]
        self._tabulate()

    def begin(self, phase: int, at_s: float, durations_s: list[float], *, is_open: bool) -> None:
        """A phase begins at ``at_s`` with segments of these lengths; it replaces what was planned after that moment."""
        self._starts = [start for start in self._starts if start.at_s < at_s]
        for segment, duration_s in enumerate(durations_s or [0.0]):
            self._starts.append(SegmentStart(at_s, phase, segment, is_open))
            at_s += duration_s
        if durations_s:
            self._starts.append(SegmentStart(at_s, phase, AFTER, is_open))
        self._tabulate()

    def end(self, at_s: float) -> None:
        """The load ends at ``at_s``: users start nothing but what their current iteration still holds."""
        last = self.at(at_s)
        self._starts = [start for start in self._starts if start.at_s < at_s]
        self._starts.append(SegmentStart(at_s, last.phase, AFTER, last.open))
        self._tabulate()

    def _tabulate(self) -> None:
        self._at_s = np.array([start.at_s for start in self._starts])
        self._phase_and_segment = np.array([(start.phase, start.segment) for start in self._starts], dtype=np.int64).T
        self._open = np.array([start.open for start in self._starts], dtype=np.bool_)

    def at(self, at_s: float) -> SegmentStart:
        """The segment that runs at ``at_s``. The newest is checked first: most requests are recent."""
        for start in reversed(self._starts):
            if start.at_s <= at_s:
                return start
        return self._starts[0]

    def at_all(self, at_s: npt.NDArray[np.float64]) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
        """As :meth:`at` for many moments: of each the phase, the segment, and whether the phase is open."""
        which = np.searchsorted(self._at_s, at_s, side="right") - 1
        phase, segment = self._phase_and_segment[:, which]
        return phase, segment, self._open[which]
