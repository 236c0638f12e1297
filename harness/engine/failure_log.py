"""The failed requests of one worker: how often each kind occurred, and a few of each in full."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.engine.failure_details import Failure, failure_detail, failure_of
from harness.engine.failure_kinds import FailureKinds
from harness.engine.phase_track import PhaseTrack

SAMPLES_PER_FAILURE = 3


class FailureLog:
    """Failures by endpoint, phase and second. Endpoints are numbered as by the recorder."""

    def __init__(self, track: PhaseTrack) -> None:
        self._track = track
        self._noted: list[tuple[int, float, float, Failure, dict[str, str] | None]] = []
        """Endpoint, when due or sent, when ended, kind, and the sample to keep."""
        self._counts: dict[tuple[int, int, int, str, str], int] = {}
        self._kinds = FailureKinds()
        self._sampled: dict[tuple[int, str], int] = {}
        self._samples: list[list[Any]] = []

    def note(
        self,
        endpoint: int,
        due_perf_s: float,
        end_perf_s: float,
        exception: object,
        response: Any,
        context: Any,
        url: Any,
    ) -> None:
        """A request failed; see :meth:`harness.engine.recorder.Recorder.record`."""
        found = failure_of(exception, response)
        failure = Failure(self._kinds.kind(endpoint, found.text), found.code)
        sampled = self._sampled.get((endpoint, failure.text), 0)
        sample = None
        if sampled < SAMPLES_PER_FAILURE:
            self._sampled[endpoint, failure.text] = sampled + 1
            sample = failure_detail(exception, response, context, url)
        self._noted.append((endpoint, due_perf_s, end_perf_s, failure, sample))

    def fold(self, began_perf_s: float) -> None:
        """Count what was noted, in a run whose second 0 was at ``began_perf_s``."""
        # Taken out first: notes that cannot be counted must not block all later ones.
        noted, self._noted = self._noted, []
        due_s, ended_s = np.array([entry[1:3] for entry in noted], dtype=np.float64).reshape(-1, 2).T - began_perf_s
        phases, _, _ = self._track.at(np.where(np.isnan(due_s), ended_s, due_s))
        moments = zip(phases.tolist(), ended_s.tolist(), strict=True)
        for (endpoint, _, _, failure, sample), (phase, end_s) in zip(noted, moments, strict=True):
            key = (endpoint, phase, max(0, int(end_s)), *failure)
            self._counts[key] = self._counts.get(key, 0) + 1
            if sample is not None:
                self._samples.append([endpoint, phase, max(0.0, end_s), failure.text, sample])

    def take(self) -> tuple[list[list[Any]], list[list[Any]]]:
        """Return and forget counts ``[endpoint, phase, second, text, code, count]``, and samples.

        A sample is ``[endpoint, phase, end_s, text, detail]``.
        """
        counts, self._counts = self._counts, {}
        samples, self._samples = self._samples, []
        return [[*key, count] for key, count in counts.items()], samples
