"""Spans that the target recorded, as far as the harness keeps them, and the file that holds them.

A frame ``spans`` holds those of one export: a table of the texts in them, and for each span its fields, texts by their
number. A frame ``received``, the last one, says what was not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import Field, TypeAdapter, ValidationError

from harness.record.frames import Frame, FrameReader, FrameWriter

SpanKind = Literal["own", "server", "database", "cache", "downstream", "pool"]
"""What the time of a span goes to. ``own``: any other part of the program. ``pool``: waiting for a connection."""
_KINDS: tuple[SpanKind, ...] = get_args(SpanKind)
_Nanoseconds = Annotated[int, Field(ge=0, lt=1 << 63)]
_Number = Annotated[int, Field(ge=0)]


class Span(NamedTuple):
    """One span. Its times are those of the machine that recorded it, in ns since 1970."""

    trace: bytes
    span: bytes
    parent: bytes
    """Empty if it has none."""
    start_ns: int
    end_ns: int
    kind: SpanKind
    failed: bool
    service: str
    name: str
    text: str
    """The statement or command, without parameters, or the service that was called; else empty."""

    @property
    def length_ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6


class _Row(NamedTuple):
    trace: bytes
    span: bytes
    parent: bytes
    start_ns: _Nanoseconds
    length_ns: _Nanoseconds
    kind: Annotated[int, Field(ge=0, lt=len(_KINDS))]
    failed: bool
    service: _Number
    name: _Number
    text: _Number


@dataclass(frozen=True, slots=True)
class Received:
    """What arrived and is not among the spans: more than the limit, spans that make no sense, bad requests."""

    over_limit: int = 0
    invalid: int = 0
    refused: int = 0


@dataclass(slots=True)
class Spans:
    """All spans of a run, in the order in which they arrived."""

    spans: list[Span] = field(default_factory=list)
    received: Received = Received()


_rows = TypeAdapter(tuple[list[str], list[_Row]])
_received = TypeAdapter(Received)


class SpanWriter:
    """Appends the spans of one export after the other to a new file."""

    def __init__(self, path: Path) -> None:
        self._frames = FrameWriter(path)

    def write(self, spans: Iterable[Span]) -> None:
        """Append. Raises ``OSError`` if the disk is full."""
        self._frames.write(_frame(spans))

    def close(self, received: Received) -> None:
        """Record how many spans were not kept, and close the file."""
        try:
            self._frames.write({"kind": "received", **{name: getattr(received, name) for name in _COUNTS}})
        finally:
            self._frames.close()


_COUNTS = ("over_limit", "invalid", "refused")


def _frame(spans: Iterable[Span]) -> Frame:
    numbers: dict[str, int] = {}
    rows = [
        [
            *(span.trace, span.span, span.parent, span.start_ns, span.end_ns - span.start_ns),
            _KINDS.index(span.kind),
            span.failed,
            *(numbers.setdefault(text, len(numbers)) for text in (span.service, span.name, span.text)),
        ]
        for span in spans
    ]
    return {"kind": "spans", "texts": list(numbers), "spans": rows}


def read_spans(path: Path) -> Spans:
    """The spans of a file; none if there is none. Raises :class:`HarnessError` if it is damaged."""
    found = Spans()
    reader = FrameReader(path)
    for frame in reader.new_frames():
        try:
            if frame["kind"] == "spans":
                found.spans += _spans(*_rows.validate_python((frame.get("texts"), frame.get("spans"))))
            elif frame["kind"] == "received":
                found.received = _received.validate_python({name: frame.get(name, 0) for name in _COUNTS})
        except (ValidationError, IndexError) as error:
            raise reader.not_understood(frame, error) from error
    return found


def _spans(texts: Sequence[str], rows: Sequence[_Row]) -> list[Span]:
    return [
        Span(
            *(row.trace, row.span, row.parent, row.start_ns, row.start_ns + row.length_ns),
            _KINDS[row.kind],
            row.failed,
            *(texts[number] for number in (row.service, row.name, row.text)),
        )
        for row in rows
    ]
