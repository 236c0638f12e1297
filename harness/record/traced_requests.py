"""The requests that were sent with a W3C ``traceparent``, to find the target's spans.

``00-<trace id>-<span id>-01``: the id of our span is the first half of the trace id, so one of them is enough to know
both. The target's span whose parent is ours is what handled the request.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

_TRACE_BYTES = 16
_SPAN_BYTES = 8
_LENGTH = 55

_Number = Annotated[int, Field(ge=0, lt=1 << 31)]
_Microseconds = Annotated[int, Field(ge=0, lt=1 << 53)]


class TracedRequest(NamedTuple):
    """One request. ``at_s`` is when it was due, on the run's clock; its response time counts from then."""

    trace: Annotated[bytes, Field(min_length=_TRACE_BYTES, max_length=_TRACE_BYTES)]
    endpoint: _Number
    phase: _Number
    at_s: Annotated[float, Field(ge=0, lt=10_000_000)]
    response_us: _Microseconds
    service_us: _Microseconds
    failed: bool

    @property
    def ended_s(self) -> float:
        """On the run's clock."""
        return self.at_s + self.response_us / 1e6

    @property
    def span(self) -> bytes:
        """The id of the span that the harness stands for: the parent of the target's first one."""
        return self.trace[:_SPAN_BYTES]


def traceparent(trace: bytes) -> str:
    """The header's value for a request with this trace id, with the sampled flag."""
    return f"00-{trace.hex()}-{trace[:_SPAN_BYTES].hex()}-01"


def trace_of(header: object) -> bytes | None:
    """The trace id of a header's value that :func:`traceparent` made; None of any other."""
    if not isinstance(header, str) or len(header) != _LENGTH:
        return None
    try:
        trace = bytes.fromhex(header[3:35])
    except ValueError:
        return None
    return trace if header == traceparent(trace) else None
