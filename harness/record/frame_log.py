"""A file of frames of one kind, each one value of one type: what most streams are recorded as."""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import ValidationError

from harness.record.frames import FrameReader, FrameWriter

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Entry = TypeVar("Entry", bound=DataclassInstance)
else:
    Entry = TypeVar("Entry")


class FrameLog(Generic[Entry]):
    """How values of one pydantic dataclass are written to a file and read from it.

    The types of its fields are checked as they are read, so that whoever works with them need not. Fields may be added
    that have a default; a reader ignores those it does not know, and frames of another kind.
    """

    def __init__(self, kind: str, entry: type[Entry]) -> None:
        self.kind = kind
        self._entry = entry

    def writer(self, path: Path) -> LogWriter[Entry]:
        """Appends to a new file."""
        return LogWriter(path, self.kind)

    def read(self, path: Path) -> list[Entry]:
        """All values, in order of writing; none if there is no file. Raises :class:`HarnessError` if it is damaged."""
        entries = []
        reader = FrameReader(path)
        for frame in reader.new_frames():
            try:
                entries += [self._entry(**frame)] if frame["kind"] == self.kind else []
            except ValidationError as error:
                raise reader.not_understood(frame, error) from error
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
