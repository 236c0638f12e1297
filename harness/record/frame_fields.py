"""What the frames of a journal and of the resources hold: each field's type and range, checked where they are read.

A checksum only tells that a frame is as it was written. These tell that what was written makes sense, so that whoever
works with it need not ask. Fields that are not named here are left to a later version; ``series`` and ``lateness`` are
checked by :class:`harness.record.second_table.SecondTable`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.errors import first_problem

_Index = Annotated[int, Field(ge=0, lt=1 << 31)]
_Epoch = Annotated[float, Field(ge=0, lt=1e10)]
_Count = Annotated[int, Field(ge=0, lt=1 << 53)]
_Second = Annotated[int, Field(ge=0, lt=10_000_000)]
"""Of a run: 115 days are more than any, and all its seconds still fit into memory."""
_Moment = Annotated[float, Field(ge=0, lt=10_000_000)]
_Figure = Annotated[float, Field(gt=-1e15, lt=1e15)]


class _Frame(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Start(_Frame):
    schema_: int = Field(alias="schema")
    run_id: Annotated[str, Field(min_length=1)]
    epoch_s: _Epoch


class _Endpoint(_Frame):
    id: _Index
    method: str
    name: str
    variant: str = ""


class _Worker(_Frame):
    worker: _Index
    host: str


class _Clock(_Frame):
    worker: _Index
    at_s: _Figure  # before the run's start, its clock can be compared already
    error_ms: _Figure
    bound_ms: _Figure


class _Phase(_Frame):
    phase: _Index
    at_s: _Moment


class _Segment(_Phase):
    segment: _Index


class _PhaseEnd(_Phase):
    reason: Literal["done", "limit broke", "cut short"]
    held_segment: _Index | None


def _with_held(wire: object) -> object:
    """As now written: journals from before rate ceilings lack the last value."""
    return [*wire, 0] if isinstance(wire, list | tuple) and len(wire) == _WORKER_VALUES - 1 else wire


_WORKER_VALUES = 11
_WorkerWire = Annotated[
    tuple[_Index, _Count, _Figure, _Figure, _Count, _Count, _Count, _Figure, _Figure, _Figure, _Count],
    Field(strict=False),
    BeforeValidator(_with_held),
]
"""A ``WorkerSecond``: msgpack makes lists of tuples."""


class _SecondFrame(_Frame):
    second: _Second
    users: _Count
    workers: list[_WorkerWire]


class _Failure(_Frame):
    endpoint: _Index
    phase: _Index
    second: _Second
    failure: str
    count: _Count


class _Sample(_Frame):
    endpoint: _Index
    phase: _Index
    at_s: _Moment
    failure: str
    detail: dict[str, str]


class _Event(_Frame):
    at_s: _Moment
    what: str
    message: str
    count: _Count = 0


class _End(_Frame):
    at_s: _Moment
    reason: Literal["done", "interrupted", "gate failed", "target lost", "workers lost", "scenario", "error"]


class _Resources(_Frame):
    epoch_s: _Epoch
    source: str
    values: dict[str, _Figure]


_KINDS: dict[str, type[_Frame]] = {
    "start": _Start,
    "endpoint": _Endpoint,
    "worker": _Worker,
    "clock": _Clock,
    "second": _SecondFrame,
    "phase": _Phase,
    "segment": _Segment,
    "phase_end": _PhaseEnd,
    "failure": _Failure,
    "sample": _Sample,
    "event": _Event,
    "end": _End,
    "resources": _Resources,
}


def check_fields(frame: dict[str, Any]) -> None:
    """Raises ``ValueError`` naming the first field that is missing or holds what it cannot.

    A frame of another kind is as good as any.
    """
    fields = _KINDS.get(frame["kind"])
    if fields is None:
        return
    try:
        fields.model_validate(frame)
    except ValidationError as fault:
        raise ValueError(first_problem(fault)) from fault
