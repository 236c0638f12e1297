"""Merges the workers' reports into the frames of the journal.

A second is written when every remaining worker has reported it, or :data:`PATIENCE_S` after its end. Later reports are
written as further frames of the same second, which readers add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np

from harness.engine.recorder import OTHER_ENDPOINTS
from harness.engine.worker_report import WorkerReport
from harness.record.frames import Frame
from harness.record.journal_entries import WorkerSecond
from harness.record.second_accumulator import SecondAccumulator
from harness.record.second_table import SecondTable

PATIENCE_S = 5.0
MERGED_ENDPOINTS = 1 << 16
"""Endpoints beyond this number, of all workers together, are counted as :data:`OTHER_ENDPOINTS`."""
_AT_ONCE = 8
"""Reports that are added up together: it saves a third of the cost of the numpy calls, and eight fit into the cache."""


@dataclass
class _Pending:
    """A second that has been reported in part."""

    users: int = 0
    workers: list[WorkerSecond] = field(default_factory=list)
    lateness: SecondAccumulator = field(default_factory=SecondAccumulator)
    _requests: SecondAccumulator = field(default_factory=SecondAccumulator)
    _waiting: list[SecondTable] = field(default_factory=list)
    _endpoints: list[int] = field(default_factory=list)
    """The endpoint of each waiting row, by the number here."""

    def add(self, table: SecondTable, endpoints: list[int]) -> None:
        """Add rows of this second; ``endpoints`` are their numbers here."""
        self._waiting.append(table)
        self._endpoints += endpoints
        if len(self._waiting) >= _AT_ONCE:
            self._add_up()

    def _add_up(self) -> None:
        self._requests.add_table(SecondTable.joined(self._waiting), np.array(self._endpoints, dtype=np.int64))
        self._waiting, self._endpoints = [], []

    def requests(self, second: int) -> SecondTable:
        """All that was added."""
        self._add_up()
        return self._requests.table(second)


class Merger:
    """Takes the workers' reports, returns the frames of the journal."""

    def __init__(self, workers: list[str]) -> None:
        self._numbers = {worker: number for number, worker in enumerate(workers)}
        self._reported = dict.fromkeys(workers, -1)
        self._pending: dict[int, _Pending] = {}
        self._endpoints: dict[tuple[str, str], int] = {}
        self._local: dict[str, dict[int, int]] = {worker: {} for worker in workers}
        """By worker: the number here of each endpoint, by the worker's own number."""
        self._whole = -1
        """The last second that all workers have reported."""
        self._awaited = len(workers)
        """How many workers have not reported beyond it."""
        self._written = -1
        """The last second that :meth:`whole` has returned."""

    def lose(self, worker: str) -> None:
        """Wait no longer for this worker's reports."""
        self._reported.pop(worker, None)
        self._count_whole()

    def add(self, worker: str, message: Any, now_s: float) -> list[Frame]:
        """Add a worker's report; the frames that can be written at once (endpoints, failures, samples).

        Raises ``ValueError`` if the message is not a valid report; then nothing of it is added.
        """
        if worker not in self._numbers:
            raise ValueError("it is from no worker of this run")
        local = self._local[worker]
        report = WorkerReport.parse(message, named=local.keys(), now_s=now_s)
        frames: list[Frame] = []
        for own, method, name in report.endpoints:
            number = self._endpoints.get((method, name))
            if number is None and len(self._endpoints) >= MERGED_ENDPOINTS:
                method, name = OTHER_ENDPOINTS
                number = self._endpoints.get(OTHER_ENDPOINTS)
            if number is None:
                number = self._endpoints[method, name] = len(self._endpoints)
                frames.append({"kind": "endpoint", "id": number, "method": method, "name": name})
            local[own] = number
        pending = self._of(report.second)
        pending.users += report.state.users
        pending.workers.append(report.state._replace(worker=self._numbers[worker]))
        pending.lateness.add_table(report.lateness, report.lateness.endpoint)
        self._add_requests(report.requests, local)
        for endpoint, phase, second, failure, count in report.failures:
            fields = {"endpoint": local[endpoint], "phase": phase, "second": second, "failure": failure, "count": count}
            frames.append({"kind": "failure", **fields})
        for endpoint, phase, at_s, failure, detail in report.samples:
            fields = {"endpoint": local[endpoint], "phase": phase, "at_s": at_s, "failure": failure, "detail": detail}
            frames.append({"kind": "sample", **fields})
        self._note(worker, report.second)
        return frames

    def _of(self, second: int) -> _Pending:
        pending = self._pending.get(second)
        if pending is None:
            pending = self._pending[second] = _Pending()
        return pending

    def _note(self, worker: str, second: int) -> None:
        """Take note that ``worker`` has reported up to ``second``."""
        before = self._reported.get(worker)
        if before is None or second <= before:
            return
        self._reported[worker] = second
        if before <= self._whole < second:
            self._awaited -= 1
            if not self._awaited:
                self._count_whole()

    def _count_whole(self) -> None:
        self._whole = min(self._reported.values(), default=self._whole)
        self._awaited = sum(second <= self._whole for second in self._reported.values())

    def _add_requests(self, table: SecondTable, local: dict[int, int]) -> None:
        endpoints = [local[own] for own in table.endpoint.tolist()]
        seconds = table.second.tolist()
        for second in set(seconds):
            if seconds.count(second) == len(seconds):
                self._of(second).add(table, endpoints)
            else:
                here = [number == second for number in seconds]
                self._of(second).add(table.of(np.flatnonzero(here)), list(compress(endpoints, here)))

    def whole(self) -> list[tuple[Frame, SecondTable]]:
        """Return and forget the seconds that all have reported, in order, each with its merged table.

        A late report of an earlier second waits for :meth:`overdue`: a frame for each would slow down a master that is
        already behind.
        """
        written, self._written = self._written, self._whole
        return self._take([second for second in self._pending if written < second <= self._whole])

    def overdue(self, now_s: float) -> list[tuple[Frame, SecondTable]]:
        """As :meth:`whole`, and also the seconds that have waited long enough. Call it once a second."""
        latest = max(self._whole, int(now_s - PATIENCE_S) - 1)
        return self._take([second for second in self._pending if second <= latest])

    def rest(self) -> list[tuple[Frame, SecondTable]]:
        """All that remains, at the run's end."""
        return self._take(list(self._pending))

    def _take(self, seconds: list[int]) -> list[tuple[Frame, SecondTable]]:
        taken = []
        for second in sorted(seconds):
            pending = self._pending.pop(second)
            table = pending.requests(second)
            frame: Frame = {
                "kind": "second",
                "second": second,
                "users": pending.users,
                "workers": pending.workers,
                "series": table.to_wire(),
                "lateness": pending.lateness.table(second).to_wire(),
            }
            taken.append((frame, table))
        return taken
