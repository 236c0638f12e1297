"""Series of many seconds and endpoints as flat arrays: what workers send, what the journal holds.

A row is what ended in one second, of one phase, segment and endpoint. It has three histograms (:data:`RESPONSE`,
:data:`SERVICE`, :data:`FAILED`), whose buckets stand one behind the other in two long arrays. So a second of any number
of endpoints is read, checked and added by a handful of numpy calls, and takes the bytes that it holds: a bucket 2, its
count mostly 1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.record.histogram import LAST_BUCKET, Ints

RESPONSE, SERVICE, FAILED = range(3)
"""The histograms of a row. ``SERVICE`` is empty in the closed model, where it is the same as ``RESPONSE``."""
KINDS = 3

MOST_ROWS = 1 << 16
MOST_BUCKETS = 1 << 24
"""A table with more is refused: what is read from outside must not take all memory."""
KEY_LIMITS = (1 << 31, 1 << 16, 1 << 21, 1 << 21)
"""Second, phase, segment and endpoint are below these."""
_LARGEST = 1 << 53

_COUNT_TYPES = {1: "<u1", 2: "<u2", 4: "<u4"}
"""Of bucket counts on the wire, by width: the narrowest that holds them all."""

_Columns = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SeriesTable:
    """``n`` rows and their ``m`` buckets.

    ``keys`` (n, 4): second, phase, segment, endpoint. ``is_open`` (n): whether the phase is of the open model.
    ``totals`` (n, 3): requests, failures, bytes received. ``sums_us``, ``maxima_us``, ``sizes`` (n, 3): of each
    histogram the sum and maximum of its values, and how many buckets it has. ``buckets``, ``counts`` (m): of each row's
    three histograms, in order.
    """

    keys: _Columns
    is_open: _Bools
    totals: _Columns
    sums_us: _Columns
    maxima_us: _Columns
    sizes: _Columns
    buckets: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.unsignedinteger[Any]]

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def empty(cls) -> Self:
        def nothing(columns: int) -> Ints:
            return np.zeros((0, columns), dtype=np.int64)

        return cls(
            nothing(4),
            np.zeros(0, dtype=np.bool_),
            nothing(3),
            nothing(KINDS),
            nothing(KINDS),
            nothing(KINDS),
            np.zeros(0, dtype=np.uint16),
            np.zeros(0, dtype=np.uint8),
        )

    @classmethod
    def joined(cls, parts: list[SeriesTable]) -> Self:
        """The rows of all parts, one part behind the other."""
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def of(self, rows: _Bools) -> SeriesTable:
        """These rows (n, bool) alone."""
        here = np.repeat(np.repeat(rows, KINDS), self.sizes.ravel())
        return SeriesTable(
            self.keys[rows],
            self.is_open[rows],
            self.totals[rows],
            self.sums_us[rows],
            self.maxima_us[rows],
            self.sizes[rows],
            self.buckets[here],
            self.counts[here],
        )

    def to_wire(self) -> dict[str, bytes]:
        """For msgpack: every array as little-endian bytes."""
        most = int(self.counts.max()) if len(self.counts) else 0
        width = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4
        return {
            "keys": self.keys.astype("<i4").tobytes(),
            "open": self.is_open.tobytes(),
            "totals": self.totals.astype("<i8").tobytes(),
            "sums_us": self.sums_us.astype("<i8").tobytes(),
            "maxima_us": self.maxima_us.astype("<i8").tobytes(),
            "sizes": self.sizes.astype("<u2").tobytes(),
            "buckets": self.buckets.astype("<u2").tobytes(),
            "counts": self.counts.astype(_COUNT_TYPES[width]).tobytes(),
        }

    @classmethod
    def from_wire(cls, wire: Any) -> Self:
        """The inverse of :meth:`to_wire`, for bytes from anywhere.

        Raises ``ValueError`` where the parts do not fit together or say what cannot be: then nothing is trusted.
        """
        if not isinstance(wire, dict) or not all(isinstance(value, bytes) for value in wire.values()):
            raise ValueError("a series table is a map of bytes")
        try:
            rows = len(wire["open"])
            if rows > MOST_ROWS or len(wire["buckets"]) > 2 * MOST_BUCKETS:
                raise ValueError(f"a series table has at most {MOST_ROWS:,} rows and {MOST_BUCKETS:,} buckets")
            keys = np.frombuffer(wire["keys"], "<i4").astype(np.int64).reshape(rows, 4)
            is_open = np.frombuffer(wire["open"], "u1").astype(np.bool_)
            totals, sums_us, maxima_us, sizes = (
                np.frombuffer(wire[name], dtype).astype(np.int64).reshape(rows, KINDS)
                for name, dtype in (("totals", "<i8"), ("sums_us", "<i8"), ("maxima_us", "<i8"), ("sizes", "<u2"))
            )
            buckets = np.frombuffer(wire["buckets"], "<u2")
            width = len(wire["counts"]) // len(buckets) if len(buckets) else 1
            counts = np.frombuffer(wire["counts"], _COUNT_TYPES[width])
        except KeyError as lacking:
            raise ValueError(f"a series table lacks or does not know {lacking}") from lacking
        table = cls(keys, is_open, totals, sums_us, maxima_us, sizes, buckets, counts)
        table._check()
        return table

    def _check(self) -> None:
        if len(self.counts) != len(self.buckets) or int(self.sizes.sum()) != len(self.buckets):
            raise ValueError("buckets, counts and sizes of a series table differ in length")
        if not len(self):
            return
        if self.keys.min() < 0 or (self.keys.max(axis=0) >= KEY_LIMITS).any():
            raise ValueError("a second, phase, segment or endpoint is out of range")
        for figures in (self.totals, self.sums_us, self.maxima_us):
            if figures.min() < 0 or figures.max() > _LARGEST:
                raise ValueError("a figure of a series table is out of range")
        if len(self.buckets) and self.buckets.max() > LAST_BUCKET:
            raise ValueError("a bucket is out of range")
        # What ended at each row's end of the long arrays, less what had at the row's before: the row's own counts.
        below = np.concatenate(([0], np.cumsum(self.counts, dtype=np.int64)))[np.cumsum(self.sizes.ravel())]
        counted = np.diff(below, prepend=0).reshape(-1, KINDS)
        if (counted > self.totals[:, [0, 0, 1]]).any():
            raise ValueError("histograms count more than there were requests")
