"""What was found of a contract in a run: a part of ``summary.json``."""

from __future__ import annotations

from pydantic import BaseModel


class ContractBreach(BaseModel):
    """Breaches of one kind in one place, in all phases."""

    operation: str
    """``GET /items/{id}`` as the document has it; empty: it has none for these requests."""
    status: int
    endpoints: list[str]
    """The endpoints of the scenario."""
    phases: list[str]
    check: str
    """``operation``, ``status``, ``content-type``, ``headers``, ``body`` or ``format``."""
    path: str
    """``body.items[].price``, ``header X-Rate-Limit``."""
    rule: str
    """The keyword of the schema: ``type``, ``required``."""
    problem: str
    value: str
    """One that was seen, redacted."""
    count: int
    """Of the responses that were checked."""


class ContractGivenUp(BaseModel):
    """An operation of which checks were given up, because they took too much."""

    operation: str
    status: int
    why: str
    """``time``, ``memory``, or ``crash`` of the validator."""
    count: int


class OperationCoverage(BaseModel):
    """One operation of the document: its statuses there, and those that checked responses had."""

    operation: str
    documented: list[str]
    """``200``, ``4XX``, ``default``."""
    missing: list[str]
    """Those of ``documented`` that no response had."""
    statuses: dict[str, int]
    """How many checked responses had each status."""


class ContractSummary(BaseModel):
    """Responses checked against an OpenAPI document; in a duet, those of build B."""

    title: str
    version: str
    openapi: str
    source: str
    sha256: str
    complete: bool
    """Whether all that was sampled was checked; false if the process that checks was ended."""
    checked: int
    breached: int
    """In how many of them a breach was found."""
    skipped: dict[str, int]
    """Responses that should have been checked and were not, or not in full: more in a second than are kept (``rate``),
    a longer body than is kept, or more bytes in a second (``size``), more than could be checked beside the load
    (``checker``), a regular expression that took too many steps (``pattern``), a check that took too much time or
    memory or crashed (``limit``), an object that is not a response (``unreadable``)."""
    given_up: list[ContractGivenUp] = []
    breaches: list[ContractBreach]
    """The most frequent first."""
    operations: list[OperationCoverage]
    """In the order of the document."""

    @property
    def seen(self) -> list[OperationCoverage]:
        """The operations that the scenario used."""
        return [operation for operation in self.operations if operation.statuses]

    @property
    def matches_nothing(self) -> bool:
        """Whether no response belongs to an operation of the document."""
        return self.checked > 0 and not self.seen
