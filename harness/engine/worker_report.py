"""What a worker reports of a second (``harness.second``), checked before the master believes it."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import first_problem
from harness.record.journal_entries import WorkerSecond
from harness.record.sampled_responses import SampledResponse
from harness.record.second_table import LIMITS, PHASE, SECOND, SecondTable
from harness.record.traced_requests import TracedRequest

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
_MOST_CHECKS = 1 << 14
_MOST_CHECK_SAMPLES = 1 << 10
_MOST_RESPONSES = 1 << 12
_NewEndpoint = tuple[_Count, _Word, _Word]
"""Its number, method and name."""
_Failures = tuple[_Count, _Phase, _Second, _Word, _Word, _Count]
"""Endpoint, phase, second, failure, its code and how many."""
_Sample = tuple[_Count, _Phase, _Figure, _Word, Annotated[dict[_Word, _Text], Field(max_length=16)]]
"""Endpoint, phase, when, failure and detail."""
_Check = tuple[_Word, _Phase, _Second, _Count, _Count]
"""Its name, phase and second, and how often it passed and failed."""
_CheckSample = tuple[_Word, _Figure, _Word]
"""Its name, when, and why it failed."""


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
    checks: Annotated[list[_Check], Field(max_length=_MOST_CHECKS)] = []
    check_samples: Annotated[list[_CheckSample], Field(max_length=_MOST_CHECK_SAMPLES)] = []
    responses: Annotated[list[SampledResponse], Field(max_length=_MOST_RESPONSES)] = []
    skipped: Annotated[dict[_Word, _Count], Field(max_length=16)] = {}
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
        referenced.update(response.endpoint for response in self.responses)
        referenced.update(self.requests.endpoint.tolist())
        if not referenced <= known:
            raise ValueError("an endpoint has not been named")
        ended = [self.second, *(failure[2] for failure in self.failures), *(check[2] for check in self.checks)]
        if max(*ended, int(self.requests.second.max(initial=0))) > latest:
            raise ValueError("a second has not come yet")
