"""The requests of one worker that were sent with a ``traceparent``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.engine.phase_track import PhaseTrack

_MOST = 20_000
"""The most that wait for a report, which is due each second."""


class TracedLog:
    """Traced requests, until they are reported. Endpoints are numbered as by the recorder."""

    def __init__(self, track: PhaseTrack) -> None:
        self._track = track
        self._noted: list[tuple[bytes, int, float, float, float, bool]] = []
        """Trace id, endpoint, when due, sent and ended (``perf_counter``), and whether it failed."""

    def note(
        self, trace: bytes, endpoint: int, due_perf_s: float, start_perf_s: float, end_perf_s: float, *, failed: bool
    ) -> None:
        """A request was sent with this trace id; one without a known start is skipped."""
        if len(self._noted) < _MOST and not math.isnan(start_perf_s):
            self._noted.append((trace, endpoint, due_perf_s, start_perf_s, end_perf_s, failed))

    def take(self, began_perf_s: float) -> list[list[Any]]:
        """Return and forget them, as :class:`TracedRequest`, in a run whose second 0 was at ``began_perf_s``."""
        noted, self._noted = self._noted, []
        due_s = np.array([entry[2] for entry in noted], dtype=np.float64) - began_perf_s
        phases, _, _ = self._track.at(due_s)
        return [
            [trace, endpoint, phase, max(at_s, 0.0), *_times_us(due_perf_s, start_perf_s, end_perf_s), failed]
            for (trace, endpoint, due_perf_s, start_perf_s, end_perf_s, failed), phase, at_s in zip(
                noted, phases.tolist(), due_s.tolist(), strict=True
            )
        ]


def _times_us(due_s: float, start_s: float, end_s: float) -> tuple[int, int]:
    """Response and service time, as the recorder has them."""
    service_us = max(round(1e6 * (end_s - start_s)), 0)
    return max(round(1e6 * (end_s - due_s)), service_us), service_us
