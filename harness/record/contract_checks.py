"""What checks of responses against an OpenAPI document found; written once per second.

The file ``contract`` has a frame of kind ``contract`` with the document's operations, and frames of kind ``checked``:
what was added since the last one. Readers add them up.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal, NamedTuple

from pydantic import Field
from pydantic.dataclasses import dataclass

from harness.record.frames import STRICT, Epoch, FrameLog

_Number = Annotated[int, Field(ge=0, lt=1 << 31)]
_Count = Annotated[int, Field(ge=0, lt=1 << 53)]
_Text = Annotated[str, Field(max_length=4096)]


class OperationDocumented(NamedTuple):
    """``GET /items/{id}``, and the statuses that the document has for it: ``200``, ``4XX``, ``default``."""

    operation: _Text
    statuses: list[_Text]


@dataclass(frozen=True, slots=True, config=STRICT)
class ContractDocument:
    """The document that responses are checked against."""

    title: str
    version: str
    """Of the API."""
    openapi: str
    """The version of OpenAPI."""
    source: str
    """The file or URL that it came from."""
    sha256: str
    operations: list[OperationDocumented]


class CheckedResponses(NamedTuple):
    """How many responses of one kind were checked, and in how many of them a breach was found."""

    phase: _Number
    endpoint: _Number
    operation: _Text
    """Empty: the document has none for the request."""
    status: _Number
    documented: _Text
    """The key of the document's response that it was checked against: ``200``, ``4XX``, ``default``; empty: none."""
    media_type: _Text
    checked: _Count
    breached: _Count


class Breach(NamedTuple):
    """Breaches of one kind in one place of the responses of one operation."""

    phase: _Number
    endpoint: _Number
    operation: _Text
    status: _Number
    check: _Text
    """Which check found it; see :data:`harness.contracts.checks.CHECKS`."""
    path: _Text
    """Where: ``body.items[].price``, ``header X-Rate-Limit``, ``status``."""
    rule: _Text
    """The keyword of the schema, or another word for programs: ``type``, ``required``, ``missing``."""
    problem: _Text
    """What is wrong, without the value."""
    value: _Text
    """The value of the first one, redacted; empty: there is none."""
    seen: _Count
    """In how many responses."""


class GivenUp(NamedTuple):
    """Responses of one kind whose check was given up, because it took too much."""

    operation: _Text
    status: _Number
    why: Literal["time", "memory", "crash"]
    seen: _Count


@dataclass(frozen=True, slots=True, config=STRICT)
class ContractSecond:
    """What was checked since the last frame."""

    epoch_s: Epoch
    responses: list[CheckedResponses]
    breaches: list[Breach]
    skipped: dict[str, _Count] = field(default_factory=dict)
    """Why responses that should have been checked were not, or not in full, and how many."""
    is_last: bool = False
    """Whether all that was sampled has been checked."""
    given_up: list[GivenUp] = field(default_factory=list)


CONTRACT_DOCUMENT = FrameLog("contract", ContractDocument)
CONTRACT_SECONDS = FrameLog("checked", ContractSecond)
