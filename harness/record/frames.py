"""Append-only files of frames (length, CRC, msgpack), readable up to where the writer was killed.

Layout: the magic, then frames of ``<u4 length> <u4 crc32 of the payload> <payload>``, all little-endian. A frame is a
map with the key ``kind``. A reader stops at a frame that is cut off and rejects one with a wrong checksum.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Self, TypeVar

import msgpack
from pydantic import ConfigDict, Field, ValidationError

from harness.errors import HarnessError, first_problem
from harness.messages import Message, message
from harness.record.run_folder import regular_file

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Entry = TypeVar("Entry", bound=DataclassInstance)
else:
    Entry = TypeVar("Entry")

MAGIC = b"HARNESS1"
_HEAD = struct.Struct("<II")
_LONGEST = 1 << 28

Frame = dict[str, Any]

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
"""How the fields of a frame are checked."""
Epoch = Annotated[float, Field(ge=0, lt=1e10)]
"""Seconds since 1970."""
Figure = Annotated[float, Field(gt=-1e15, lt=1e15)]


class FrameWriter:
    """Appends frames to a new file. Each goes to the kernel at once, so that SIGKILL loses none that was written.

    With ``resume``, the file may be one that another process has begun.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self.path = path
        self._file = path.open("r+b" if resume and path.exists() else "xb", buffering=0)
        if self._file.seek(0, os.SEEK_END) == 0:
            self._file.write(MAGIC)

    def write(self, frame: Frame) -> None:
        """Append one frame. Raises ``OSError`` if the disk is full; the file stays valid, and writing can go on."""
        payload = msgpack.packb(frame, use_bin_type=True)
        whole = memoryview(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
        begin = self._file.tell()
        try:
            while whole:
                whole = whole[self._file.write(whole) or 0 :]
        except OSError:
            # Half a frame would make everything after it unreadable.
            self._file.seek(begin)
            self._file.truncate()
            raise

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FrameReader:
    """Reads the frames of a file from its start, and later those that were appended since.

    ``cut_off`` is true while the file ends in the middle of a frame: its writer is still writing, or was killed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self.cut_off = False

    def new_frames(self) -> Iterator[Frame]:
        """The frames that were appended since the last call; none if there is no file yet.

        Raises :class:`HarnessError` if the file has another format, or is damaged before its end.
        """
        if not regular_file(self.path).exists():
            return
        with self.path.open("rb") as file:
            if self._offset == 0:
                magic = file.read(len(MAGIC))
                if magic != MAGIC:
                    self.cut_off = MAGIC.startswith(magic)
                    if self.cut_off:
                        return
                    raise self._damaged(0, message("wrong-magic"))
                self._offset = len(MAGIC)
            file.seek(self._offset)
            while True:
                head = file.read(_HEAD.size)
                self.cut_off = 0 < len(head) < _HEAD.size
                if len(head) < _HEAD.size:
                    return
                length, crc = _HEAD.unpack(head)
                if length > _LONGEST:
                    raise self._damaged(self._offset, message("frame-too-long", length=length))
                payload = file.read(length)
                if len(payload) < length:
                    self.cut_off = True
                    return
                if zlib.crc32(payload) != crc:
                    raise self._damaged(self._offset, message("wrong-checksum"))
                try:
                    frame = msgpack.unpackb(payload, raw=False, strict_map_key=False)
                except ValueError as error:
                    unreadable = message("frame-not-msgpack", error=error)
                    raise self._damaged(self._offset, unreadable) from error
                if not isinstance(frame, dict) or not isinstance(frame.get("kind"), str):
                    raise self._damaged(self._offset, message("frame-without-kind"))
                self._offset += _HEAD.size + length
                yield frame

    def not_understood(self, frame: Frame, error: Exception) -> HarnessError:
        """The error of a whole frame that does not hold what its kind should."""
        if isinstance(error, ValidationError):
            error = ValueError(first_problem(error))
        return HarnessError("frame-not-understood", where=str(self.path), kind=frame["kind"], error=error)

    def _damaged(self, offset: int, problem: Message) -> HarnessError:
        return HarnessError("frames-damaged", where=str(self.path), offset=offset, problem=problem)


class FrameLog(Generic[Entry]):
    """How values of one pydantic dataclass are written to a file and read from it.

    The types of its fields are checked as they are read, so that whoever works with them need not. Fields may be added
    that have a default; a reader ignores those it does not know, and frames of another kind.
    """

    def __init__(self, kind: str, entry: type[Entry]) -> None:
        self.kind = kind
        self._entry = entry

    def writer(self, path: Path, *, resume: bool = False) -> LogWriter[Entry]:
        """Appends to a new file, or to one that another process has begun."""
        return LogWriter(path, self.kind, resume=resume)

    def read(self, path: Path) -> list[Entry]:
        """All values, in order of writing; none if there is no file. Raises :class:`HarnessError` if it is damaged."""
        return self.new_entries(FrameReader(path))

    def new_entries(self, reader: FrameReader) -> list[Entry]:
        """The values that were appended since the last call. Raises as :meth:`read`."""
        entries = []
        for frame in reader.new_frames():
            try:
                entries += [self._entry(**frame)] if frame["kind"] == self.kind else []
            except ValidationError as error:
                raise reader.not_understood(frame, error) from error
        return entries


class LogWriter(Generic[Entry]):
    """Appends values. Safe to call from any thread."""

    def __init__(self, path: Path, kind: str, *, resume: bool) -> None:
        self._frames = FrameWriter(path, resume=resume)
        self._kind = kind
        self._lock = threading.Lock()

    def write(self, entry: Entry) -> None:
        frame = {"kind": self._kind, **asdict(entry)}
        with self._lock:
            self._frames.write(frame)

    def close(self) -> None:
        self._frames.close()
