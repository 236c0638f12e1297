"""What traced requests did inside the target, by endpoint and phase: a part of ``summary.json``.

Counts and times are means per traced request.
"""

from __future__ import annotations

from pydantic import BaseModel


class RepeatedStatement(BaseModel):
    """The same statement several times in one request, whatever its parameters."""

    text: str
    times: float
    """How often a request runs it, on average over the requests that run it more than once."""
    share: float
    """Of the endpoint's traced requests (0…1), those that run it more than once."""
    time_ms: float
    """What all its runs in a request take together, on average over all requests."""


class StatementTime(BaseModel):
    """A statement, how often a request runs it, and what that takes."""

    text: str
    times: float
    time_ms: float


class SlowRequest(BaseModel):
    """One traced request."""

    trace_id: str
    url: str | None = None
    """Where the team's tracing shows it (``trace_url``)."""
    at_s: float
    """When it was due, from the start of the run."""
    response_ms: float


class EndpointStatements(BaseModel):
    """One endpoint in one phase."""

    endpoint: str
    """As gates name it: ``GET /cart``."""
    phase: str
    variant: str = ""
    requests: int
    """How many were traced."""
    statements_per_request: float | None
    """Null if the target recorded no database statement in the whole run: it may have run some all the same."""
    repeated: list[RepeatedStatement] = []
    """The most often repeated first."""
    top: list[StatementTime] = []
    """The statements that take the most time."""
    time_by_kind_ms: dict[str, float]
    """``own`` code, ``database``, ``cache``, ``downstream`` (calls to other services), ``pool`` (waiting for a
    connection), and ``outside``: before and after the target's own span, in queues and on the network."""
    slowest: list[SlowRequest] = []
