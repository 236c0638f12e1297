"""Merges the workers' seconds into the journal's frames.

A second is written when every worker that is still there has reported it, or :data:`PATIENCE_S` after it is over; what
comes later still is written as a further frame of the same second, and readers add the two.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from harness.record.frames import Frame
from harness.record.histogram import Histogram
from harness.record.journal import Lateness, Series

PATIENCE_S = 5.0

Rows = dict[tuple[int, int, int], list[Series]]


@dataclass
class _Pending:
    """One second, as far as it has been reported."""

    users: int = 0
    workers: list[list[Any]] = field(default_factory=list)
    rows: Rows = field(default_factory=lambda: defaultdict(list))
    lateness: list[Lateness] = field(default_factory=list)


class Merger:
    """Takes the workers' reports in, gives the journal's frames out."""

    def __init__(self, workers: list[str]) -> None:
        self._numbers = {worker: number for number, worker in enumerate(workers)}
        self._reported = dict.fromkeys(workers, -1)
        self._pending: dict[int, _Pending] = {}
        self._endpoints: dict[tuple[str, str], int] = {}
        self._local: dict[tuple[str, int], int] = {}
        self._written = -1

    def lose(self, worker: str) -> None:
        """Wait no longer for this worker's reports."""
        self._reported.pop(worker, None)

    def add(self, worker: str, report: dict[str, Any]) -> list[Frame]:
        """Take in one report of a worker; the frames that can be written at once (endpoints, failures, samples)."""
        frames: list[Frame] = []
        for local, method, name in report["endpoints"]:
            number = self._endpoints.get((method, name))
            if number is None:
                number = self._endpoints[method, name] = len(self._endpoints)
                frames.append({"kind": "endpoint", "id": number, "method": method, "name": name})
            self._local[worker, local] = number
        second = report["second"]
        pending = self._pending.setdefault(second, _Pending())
        pending.users += report["users"]
        pending.workers.append(
            [
                self._numbers[worker],
                report["users"],
                report["cpu"],
                report["lag_ms"],
                report["iterations"],
                report["late"],
                report["waiting"],
                report["starved"],
                report["throttled"],
                report["stolen"],
            ]
        )
        pending.lateness += [Lateness.from_wire(wire) for wire in report["lateness"]]
        for ended, rows in report["series"]:
            of_second = self._pending.setdefault(ended, _Pending())
            for row in rows:
                row[2] = self._local[worker, row[2]]
                series = Series.from_wire(row)
                of_second.rows[series.phase, series.segment, series.endpoint].append(series)
        for endpoint, phase, ended, failure, count in report["failures"]:
            frames.append(
                {
                    "kind": "failure",
                    "endpoint": self._local[worker, endpoint],
                    "phase": phase,
                    "second": ended,
                    "failure": failure,
                    "count": count,
                }
            )
        for endpoint, phase, at_s, failure, detail in report["samples"]:
            frames.append(
                {
                    "kind": "sample",
                    "endpoint": self._local[worker, endpoint],
                    "phase": phase,
                    "at_s": at_s,
                    "failure": failure,
                    "detail": detail,
                }
            )
        if worker in self._reported:
            self._reported[worker] = max(self._reported[worker], second)
        return frames

    def ready(self, now_s: float) -> list[tuple[Frame, list[Series]]]:
        """The seconds that can be written, in order, each with its merged series; they are forgotten here."""
        complete = min(self._reported.values(), default=self._written)
        complete = max(complete, int(now_s - PATIENCE_S) - 1)
        return self._take([second for second in self._pending if second <= complete])

    def rest(self) -> list[tuple[Frame, list[Series]]]:
        """All that is left, at the run's end."""
        return self._take(list(self._pending))

    def _take(self, seconds: list[int]) -> list[tuple[Frame, list[Series]]]:
        taken = []
        for second in sorted(seconds):
            pending = self._pending.pop(second)
            series = [_merged(parts) for parts in pending.rows.values()]
            self._written = max(self._written, second)
            frame: Frame = {
                "kind": "second",
                "second": second,
                "users": pending.users,
                "workers": pending.workers,
                "series": [one.to_wire() for one in series],
                "lateness": [one.to_wire() for one in Lateness.merged(pending.lateness)],
            }
            taken.append((frame, series))
        return taken


def _merged(parts: list[Series]) -> Series:
    """The sum of series of one (phase, segment, endpoint)."""
    first = parts[0]
    if len(parts) == 1:
        return first
    response = Histogram.merged([part.response for part in parts])
    closed = all(part.service is part.response for part in parts)
    return Series(
        first.phase,
        first.segment,
        first.endpoint,
        sum(part.requests for part in parts),
        sum(part.failures for part in parts),
        sum(part.bytes_received for part in parts),
        response,
        response if closed else Histogram.merged([part.service for part in parts]),
        Histogram.merged([part.failed for part in parts]),
    )
