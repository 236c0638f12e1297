"""A file of frames of one kind, each one value of one type: what most streams are recorded as."""

from __future__ import annotations

import threading
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from harness.errors import first_problem
from harness.record.frames import FrameReader, FrameWriter

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Entry = TypeVar("Entry", bound=DataclassInstance)
else:
    Entry = TypeVar("Entry")

Epoch = Annotated[float, Field(ge=0, lt=1e10)]
"""Seconds since 1970."""
Figure = Annotated[float, Field(gt=-1e15, lt=1e15)]


class FrameLog(Generic[Entry]):
    """How values of one dataclass are written to a file and read from it.

    The types of its fields are checked as they are read, so that whoever works with them need not. Fields may be added
    that have a default; a reader ignores those it does not know, and frames of another kind.
    """

    def __init__(self, kind: str, entry: type[Entry]) -> None:
        self.kind = kind
        self._entry = entry
        self._schema = _schema(entry)

    def writer(self, path: Path) -> LogWriter[Entry]:
        """Appends to a new file."""
        return LogWriter(path, self.kind)

    def read(self, path: Path) -> list[Entry]:
        """All values, in order of writing; none if there is no file. Raises :class:`HarnessError` if it is damaged."""
        entries = []
        reader = FrameReader(path)
        for frame in reader.new_frames():
            if frame["kind"] != self.kind:
                continue
            try:
                checked = self._schema.model_validate(frame)
            except ValidationError as error:
                raise reader.not_understood(frame, ValueError(first_problem(error))) from error
            entries.append(self._entry(**{name: getattr(checked, name) for name in self._schema.model_fields}))
        return entries


class LogWriter(Generic[Entry]):
    """Appends values. Safe to call from any thread."""

    def __init__(self, path: Path, kind: str) -> None:
        self._frames = FrameWriter(path)
        self._kind = kind
        self._lock = threading.Lock()

    def write(self, entry: Entry) -> None:
        frame = {"kind": self._kind, **asdict(entry)}
        with self._lock:
            self._frames.write(frame)

    def close(self) -> None:
        self._frames.close()


def _schema(entry: type[Entry]) -> type[BaseModel]:
    """The fields of a dataclass as pydantic checks them."""
    hints = get_type_hints(entry, include_extras=True)
    known: dict[str, Any] = {
        field.name: (hints[field.name], ... if field.default is MISSING else field.default) for field in fields(entry)
    }
    config = ConfigDict(strict=True, allow_inf_nan=False)
    return create_model(entry.__name__, __config__=config, **known)
