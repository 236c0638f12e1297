"""Validates a worker's report of a second (``harness.second``): one broken worker must not break the master."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import first_problem
from harness.record.journal_entries import WorkerSecond
from harness.record.second_table import LIMITS, PHASE, SECOND, SecondTable

AHEAD_S = 2.0
"""How far a worker's clock may be ahead of the master's."""
_MOST = 1 << 53

_Count = Annotated[int, Field(ge=0, lt=_MOST)]
_Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Second = Annotated[int, Field(ge=0, lt=int(LIMITS[SECOND]))]
_Phase = Annotated[int, Field(ge=0, lt=int(LIMITS[PHASE]))]


# Received data must not exhaust memory. A recorder stays far below these limits (harness.engine.recorder).
_Word = Annotated[str, Field(max_length=512)]
_Text = Annotated[str, Field(max_length=1 << 16)]
_MOST_ENDPOINTS = 1 << 11
_MOST_FAILURES = 1 << 18
_MOST_SAMPLES = 1 << 16

_NewEndpoint = tuple[_Count, _Word, _Word]
"""Its number, method and name."""
_Failures = tuple[_Count, _Phase, _Second, _Word, _Count]
"""Endpoint, phase, second, failure and how many."""
_Sample = tuple[_Count, _Phase, _Figure, _Word, Annotated[dict[_Word, _Text], Field(max_length=16)]]
"""Endpoint, phase, when, failure and detail."""


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
        referenced.update(self.requests.endpoint.tolist())
        if not referenced <= known:
            raise ValueError("an endpoint has not been named")
        ended = [self.second, *(second for _, _, second, *_ in self.failures)]
        if max(*ended, int(self.requests.second.max(initial=0))) > latest:
            raise ValueError("a second has not come yet")
