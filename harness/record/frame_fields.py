"""The type and range of each field of a journal's frames, checked when they are read.

A checksum only shows that a frame is as it was written; this shows that its values make sense. Unknown fields are left
to later versions. :class:`harness.record.second_table.SecondTable` checks ``series`` and ``lateness``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.errors import first_problem

_Index = Annotated[int, Field(ge=0, lt=1 << 31)]
_Epoch = Annotated[float, Field(ge=0, lt=1e10)]
_Count = Annotated[int, Field(ge=0, lt=1 << 53)]
_Second = Annotated[int, Field(ge=0, lt=10_000_000)]
"""At most 115 days: longer than any run, and all its seconds still fit into memory."""
_RunTime = Annotated[float, Field(ge=0, lt=10_000_000)]
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
    at_s: _Figure  # negative: clocks are compared before the run starts, too
    error_ms: _Figure
    bound_ms: _Figure


class _Phase(_Frame):
    phase: _Index
    at_s: _RunTime


class _Segment(_Phase):
    segment: _Index


class _PhaseEnd(_Phase):
    reason: Literal["done", "limit broke", "cut short"]
    held_segment: _Index | None


def _with_held(wire: object) -> object:
    """As now written: journals from before rate limits lack the last value."""
    return [*wire, 0] if isinstance(wire, list | tuple) and len(wire) == _WORKER_VALUES - 1 else wire


_WORKER_VALUES = 11
_WorkerWire = Annotated[
    tuple[_Index, _Count, _Figure, _Figure, _Count, _Count, _Count, _Figure, _Figure, _Figure, _Count],
    Field(strict=False),
    BeforeValidator(_with_held),
]
"""A ``WorkerSecond``; msgpack turns tuples into lists."""


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
    at_s: _RunTime
    failure: str
    detail: dict[str, str]


class _Event(_Frame):
    at_s: _RunTime
    what: str
    message: str
    count: _Count = 0


class _End(_Frame):
    at_s: _RunTime
    reason: Literal["done", "interrupted", "gate failed", "target lost", "workers lost", "scenario", "error"]


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
}


def check_fields(frame: dict[str, Any]) -> None:
    """Raises ``ValueError`` with the first field that is missing or has a wrong value. Other kinds pass."""
    fields = _KINDS.get(frame["kind"])
    if fields is None:
        return
    try:
        fields.model_validate(frame)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error
