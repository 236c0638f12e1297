"""The rows of a feeder in one file, which the load workers of a machine map into memory and share.

Layout: each row in msgpack, one behind the other; padding to 8 bytes; where each row begins, and where the last one
ends (u8 each); the order of the rows if they are shuffled (u8 each); then the footer: the number of rows, where the
index begins, whether there is an order (u8 each), and the magic. All numbers are little-endian.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from array import array
from collections.abc import Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, NamedTuple
from uuid import UUID

import msgpack
import numpy as np
import numpy.typing as npt

_MAGIC = b"HARNROWS"
_FOOTER = struct.Struct("<QQQ8s")
_BUFFER_BYTES = 1 << 20
_TEXTS = (date, time, timedelta, Decimal, UUID, int)
"""Integers: those of more than 64 bits."""
_GOLDEN, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class Written(NamedTuple):
    """What was written: how many rows, and their digest, by which two machines see that they have the same."""

    rows: int
    digest: str


class RowsWriter:
    """Writes rows to ``file``, which is empty. Only the index is kept in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._pack = msgpack.Packer(default=_text, unicode_errors="surrogatepass").pack
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self._begins = array("Q", [0])

    def add(self, row: Any) -> None:
        """Append a row: a mapping, or any other value of msgpack.

        Times, decimals, UUIDs and integers of more than 64 bits become texts.
        Raises ``TypeError``, ``ValueError`` or ``OverflowError`` for any other value.
        """
        packed = self._pack(row)
        self._buffer += packed
        self._begins.append(self._begins[-1] + len(packed))
        if len(self._buffer) >= _BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._digest.update(self._buffer)
        self._file.write(self._buffer)
        self._buffer.clear()

    def close(self, shuffled_by: str | None = None) -> Written:
        """Write the rest, in an order drawn by the seed ``shuffled_by``; None: as they were added."""
        self._flush()
        rows, end = len(self._begins) - 1, self._begins[-1]
        begin = -(-end // 8) * 8
        self._file.write(bytes(begin - end))
        self._file.write(np.asarray(self._begins, dtype="<u8").tobytes())
        if shuffled_by is not None:
            self._file.write(_order(rows, shuffled_by).astype("<u8").tobytes())
        self._file.write(_FOOTER.pack(rows, begin, shuffled_by is not None, _MAGIC))
        self._file.flush()
        return Written(rows, self._digest.hexdigest())


def _text(value: object) -> str:
    if isinstance(value, _TEXTS):
        return str(value)
    # Of a set, the text would be in another order in each process; of an object, it is often an address.
    raise TypeError(f"a {type(value).__name__} is no JSON value")


def _order(rows: int, seed: str) -> npt.NDArray[np.int64]:
    """A random order that only depends on the seed: numpy's generators may draw other numbers in another version.

    The numbers that are sorted are those of SplitMix64 (Steele, Lea & Flood 2014), all of which differ.
    """
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8])
    with np.errstate(over="ignore"):
        mixed = np.uint64(start) + np.uint64(_GOLDEN) * np.arange(1, rows + 1, dtype=np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MIX_1)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MIX_2)
    return np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")


class Rows:
    """The rows of a file, mapped into memory. Each is decoded whenever it is read."""

    def __init__(self, path: str | Path) -> None:
        """Raises ``OSError`` or ``ValueError`` if the file cannot be read, or is none of :class:`RowsWriter`."""
        with Path(path).open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._rows, begin, is_ordered, magic = _FOOTER.unpack_from(self._data, len(self._data) - _FOOTER.size)
        if magic != _MAGIC:
            raise ValueError("not a file of rows")
        self._begins = np.frombuffer(self._data, "<u8", self._rows + 1, begin)
        self._order = np.frombuffer(self._data, "<u8", self._rows, begin + 8 * (self._rows + 1)) if is_ordered else None

    def __len__(self) -> int:
        return int(self._rows)

    def __getitem__(self, position: int) -> Any:
        row = position if self._order is None else self._order.item(position)
        begin, end = self._begins.item(row), self._begins.item(row + 1)
        return msgpack.unpackb(self._data[begin:end], strict_map_key=False, unicode_errors="surrogatepass")

    def __iter__(self) -> Iterator[Any]:
        return map(self.__getitem__, range(len(self)))
