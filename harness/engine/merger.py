"""Checks the workers' reports (``harness.second``) and merges them into the frames of the journal.

One broken worker must not break the master, so a report is not believed before it is validated.

A second is written when every remaining worker has reported it, or :data:`PATIENCE_S` after its end. Later reports are
written as further frames of the same second, which readers add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from itertools import compress
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.engine.recorder import OTHER_ENDPOINTS
from harness.errors import first_problem
from harness.record.frames import Frame
from harness.record.journal_entries import WorkerSecond
from harness.record.second_accumulator import SecondAccumulator
from harness.record.second_table import LIMITS, PHASE, SECOND, SecondTable
from harness.record.traced_requests import TracedRequest

PATIENCE_S = 5.0
MERGED_ENDPOINTS = 1 << 16
"""Endpoints beyond this number, of all workers together, are counted as :data:`OTHER_ENDPOINTS`."""
_AT_ONCE = 8
"""Reports that are added up together: it saves a third of the cost of the numpy calls, and eight fit into the cache."""
AHEAD_S = 2.0
"""How far a worker's clock may be ahead of the master's."""
# Received data must not exhaust memory. A recorder stays far below these limits (harness.engine.recorder).
_MOST = 1 << 53
_Count = Annotated[int, Field(ge=0, lt=_MOST)]
_Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Second = Annotated[int, Field(ge=0, lt=int(LIMITS[SECOND]))]
_Phase = Annotated[int, Field(ge=0, lt=int(LIMITS[PHASE]))]
_Word = Annotated[str, Field(max_length=512)]
_Text = Annotated[str, Field(max_length=1 << 16)]
_MOST_ENDPOINTS = 1 << 11
_MOST_FAILURES = 1 << 18
_MOST_SAMPLES = 1 << 16
_MOST_TRACED = 1 << 16
_NewEndpoint = tuple[_Count, _Word, _Word]
"""Its number, method and name."""
_Failures = tuple[_Count, _Phase, _Second, _Word, _Word, _Count]
"""Endpoint, phase, second, failure, its code and how many."""
_Sample = tuple[_Count, _Phase, _Figure, _Word, Annotated[dict[_Word, _Text], Field(max_length=16)]]
"""Endpoint, phase, when, failure and detail."""


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

    def __init__(self, workers: Mapping[str, str]) -> None:
        """``workers``: the variant of each, by its id, in the order of their numbers."""
        self._variants = workers
        self._numbers = {worker: number for number, worker in enumerate(workers)}
        self._reported = dict.fromkeys(workers, -1)
        self._pending: dict[int, _Pending] = {}
        self._endpoints: dict[tuple[str, str, str], int] = {}
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
        variant = self._variants[worker]
        for own, method, name in report.endpoints:
            number = self._endpoints.get((variant, method, name))
            if number is None and len(self._endpoints) >= MERGED_ENDPOINTS:
                method, name = OTHER_ENDPOINTS
                number = self._endpoints.get((variant, *OTHER_ENDPOINTS))
            if number is None:
                number = self._endpoints[variant, method, name] = len(self._endpoints)
                frames.append({"kind": "endpoint", "id": number, "method": method, "name": name, "variant": variant})
            local[own] = number
        pending = self._of(report.second)
        pending.users += report.state.users
        pending.workers.append(report.state._replace(worker=self._numbers[worker]))
        pending.lateness.add_table(report.lateness, report.lateness.endpoint)
        self._add_requests(report.requests, local)
        for endpoint, phase, second, failure, code, count in report.failures:
            fields = {"endpoint": local[endpoint], "phase": phase, "second": second, "failure": failure, "count": count}
            frames.append({"kind": "failure", **fields, "code": code})
        for endpoint, phase, at_s, failure, detail in report.samples:
            fields = {"endpoint": local[endpoint], "phase": phase, "at_s": at_s, "failure": failure, "detail": detail}
            frames.append({"kind": "sample", **fields})
        if report.traced:
            traced = [request._replace(endpoint=local[request.endpoint]) for request in report.traced]
            frames.append({"kind": "traced", "requests": traced})
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


# Received data must not exhaust memory. A recorder stays far below these limits (harness.engine.recorder).


class WorkerReport(BaseModel):
    """What a worker recorded up to the end of ``second`` and had not sent yet, and its state.

    Endpoints go by the worker's own numbers; it names each once.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    second: _Second
    state: WorkerSecond
    endpoints: Annotated[list[_NewEndpoint], Field(max_length=_MOST_ENDPOINTS)]
    failures: Annotated[list[_Failures], Field(max_length=_MOST_FAILURES)]
    samples: Annotated[list[_Sample], Field(max_length=_MOST_SAMPLES)]
    traced: Annotated[list[TracedRequest], Field(max_length=_MOST_TRACED)] = []
    requests: SecondTable
    lateness: SecondTable

    @classmethod
    def parse(cls, message: Any, *, named: Set[int], now_s: float) -> Self:
        """Raises ``ValueError`` if ``message`` is not a report that a worker may send at this moment of the run.

        ``named`` are the endpoints that the worker has named before.
        """
        if not isinstance(message, dict):
            raise ValueError("a report is a map")
        tables = {name: SecondTable.from_wire(message.get(name)) for name in ("requests", "lateness")}
        try:
            report = cls.model_validate({**message, **tables})
        except ValidationError as error:
            raise ValueError(first_problem(error)) from None
        report._check(named, int(now_s + AHEAD_S))
        return report

    def _check(self, named: Set[int], latest: int) -> None:
        known = named
        if self.endpoints:
            known = named | {number for number, *_ in self.endpoints}
        if len(known) > _MOST_ENDPOINTS:
            raise ValueError(f"a worker names at most {_MOST_ENDPOINTS:,} endpoints")
        referenced = {endpoint for endpoint, *_ in (*self.failures, *self.samples)}
        referenced.update(request.endpoint for request in self.traced)
        referenced.update(self.requests.endpoint.tolist())
        if not referenced <= known:
            raise ValueError("an endpoint has not been named")
        ended = [self.second, *(second for _, _, second, *_ in self.failures)]
        if max(*ended, int(self.requests.second.max(initial=0))) > latest:
            raise ValueError("a second has not come yet")
