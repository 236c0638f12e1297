"""Checks the workers' reports (``harness.second``) and merges them into the frames of the journal.

One broken worker must not break the master, so a report is not believed before it is validated.

A second is written when every remaining worker has reported it, or :data:`PATIENCE_S` after its end. Later reports are
written as further frames of the same second, which readers add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np

from harness.engine.checks import OTHER_CHECKS
from harness.engine.recorder import OTHER_ENDPOINTS
from harness.engine.worker_report import WorkerReport
from harness.record.frames import Frame
from harness.record.journal_entries import WorkerSecond
from harness.record.sampled_responses import SampledResponse
from harness.record.second_accumulator import SecondAccumulator
from harness.record.second_table import SecondTable

PATIENCE_S = 5.0
MERGED_CHECKS = 1000
"""Checks beyond this number, of all workers together, are counted as :data:`OTHER_CHECKS`."""
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
    checks: dict[tuple[str, int, str], list[int]] = field(default_factory=dict)
    """By name, phase and variant: how often it passed and failed."""
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

    def __init__(self, workers: Mapping[str, str]) -> None:
        """``workers``: the variant of each, by its id, in the order of their numbers."""
        self._variants = workers
        self._numbers = {worker: number for number, worker in enumerate(workers)}
        self._reported = dict.fromkeys(workers, -1)
        self._pending: dict[int, _Pending] = {}
        self._endpoints: dict[tuple[str, str, str], int] = {}
        self._local: dict[str, dict[int, int]] = {worker: {} for worker in workers}
        """By worker: the number here of each endpoint, by the worker's own number."""
        self._checks: set[str] = set()
        self._whole = -1
        """The last second that all workers have reported."""
        self._awaited = len(workers)
        """How many workers have not reported beyond it."""
        self._written = -1
        """The last second that :meth:`whole` has returned."""
        self._responses: list[SampledResponse] = []
        self._skipped: Counter[str] = Counter()

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
        variant = self._variants[worker]
        frames = [*self._named(report, variant, local)]
        pending = self._of(report.second)
        pending.users += report.state.users
        pending.workers.append(report.state._replace(worker=self._numbers[worker]))
        pending.lateness.add_table(report.lateness, report.lateness.endpoint)
        self._add_requests(report.requests, local)
        for name, phase, second, passed, failed in report.checks:
            self._count_check(self._check_name(name), phase, variant, second, passed, failed)
        for name, at_s, text in report.check_samples:
            frames.append({"kind": "check_sample", "name": self._check_name(name), "at_s": at_s, "text": text})
        for endpoint, phase, second, failure, code, count in report.failures:
            fields = {"endpoint": local[endpoint], "phase": phase, "second": second, "failure": failure, "count": count}
            frames.append({"kind": "failure", **fields, "code": code})
        for endpoint, phase, at_s, failure, detail in report.samples:
            fields = {"endpoint": local[endpoint], "phase": phase, "at_s": at_s, "failure": failure, "detail": detail}
            frames.append({"kind": "sample", **fields})
        if report.traced:
            traced = [request._replace(endpoint=local[request.endpoint]) for request in report.traced]
            frames.append({"kind": "traced", "requests": traced})
        self._responses += (one._replace(endpoint=local[one.endpoint]) for one in report.responses)
        self._skipped.update(report.skipped)
        self._note(worker, report.second)
        return frames

    def _named(self, report: WorkerReport, variant: str, local: dict[int, int]) -> Iterator[Frame]:
        """Number the endpoints that a report names, in ``local`` too; the frames of those that nobody has named."""
        for own, method, name in report.endpoints:
            number = self._endpoints.get((variant, method, name))
            if number is None and len(self._endpoints) >= MERGED_ENDPOINTS:
                method, name = OTHER_ENDPOINTS
                number = self._endpoints.get((variant, *OTHER_ENDPOINTS))
            if number is None:
                number = self._endpoints[variant, method, name] = len(self._endpoints)
                yield {"kind": "endpoint", "id": number, "method": method, "name": name, "variant": variant}
            local[own] = number

    def _check_name(self, name: str) -> str:
        if name not in self._checks:
            if len(self._checks) >= MERGED_CHECKS:
                return OTHER_CHECKS
            self._checks.add(name)
        return name

    def _count_check(self, name: str, phase: int, variant: str, second: int, passed: int, failed: int) -> None:
        counts = self._of(second).checks.setdefault((name, phase, variant), [0, 0])
        counts[0] += passed
        counts[1] += failed

    def take_responses(self) -> tuple[list[SampledResponse], dict[str, int]]:
        """Return and forget the responses that workers kept, and how many they skipped, by reason."""
        taken = self._responses, dict(self._skipped)
        self._responses, self._skipped = [], Counter()
        return taken

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
            if pending.checks:
                checks = pending.checks.items()
                frame["checks"] = [[name, phase, *counts, variant] for (name, phase, variant), counts in checks]
            taken.append((frame, table))
        return taken
