"""A response that a load worker kept for the check against the contract, as it travels to the checker."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

LONGEST_BODY = 1 << 20
"""Of a longer body, only status and headers are checked."""
LONGEST_HEADERS = 1 << 16
LONGEST_URL = 2048
CHECKER_READY = b"ready\n"
"""What the process that checks them writes once it can."""

_Number = Annotated[int, Field(ge=0, lt=1 << 31)]


class SampledResponse(NamedTuple):
    """One response. It is never written to disk: bodies may hold anything."""

    endpoint: _Number
    phase: _Number
    method: Annotated[str, Field(max_length=32)]
    url: Annotated[str, Field(max_length=LONGEST_URL)]
    """Without its query."""
    status: Annotated[int, Field(ge=100, lt=1000)]
    headers: Annotated[bytes, Field(max_length=LONGEST_HEADERS)]
    """As in HTTP/1.1, one a line."""
    body: Annotated[bytes, Field(max_length=LONGEST_BODY)] | None
    """Decoded; None: not read, or too long."""
