"""Seconds of many endpoints as flat arrays: what workers send and the journal holds.

A row has the requests of one phase, segment and endpoint that ended in one second. Its three histograms
(:data:`RESPONSE`, :data:`SERVICE`, :data:`FAILED`) lie one behind the other in two long arrays. A handful of numpy
calls reads, checks and adds a second of any number of endpoints. A bucket takes 2 bytes, its count mostly 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.record.histogram import LAST_BUCKET, Ints, Narrow

RESPONSE, SERVICE, FAILED = range(3)
"""The histograms of a row. ``SERVICE`` is empty in the closed model, where it is the same as ``RESPONSE``."""
KINDS = 3

SECOND, PHASE, SEGMENT, ENDPOINT, IS_OPEN, REQUESTS, FAILURES, BYTES = range(8)
SUMS_US, MAXIMA_US, SIZES = 8, 11, 14
"""The first of three columns each, one per histogram: sum and maximum of its values, and its number of buckets."""
COLUMNS = 17

MOST_ROWS = 1 << 16
MOST_BUCKETS = 1 << 24
"""A larger table is rejected: what comes from outside must not take all memory."""
_LARGEST = 1 << 53
LIMITS = np.array([1 << 31, 1 << 16, 1 << 21, 1 << 21, 2, *[_LARGEST] * 9, *[LAST_BUCKET + 2] * KINDS], dtype=np.uint64)
"""Each column's values lie between 0 and below its limit."""

AFTER = (1 << 21) - 1
"""The segment of requests that were started after the last one: users finish their iterations when a phase is over."""

_COUNT_TYPES = {1: "<u1", 2: "<u2", 4: "<u4"}
"""The type of bucket counts on the wire, by width: the narrowest that holds them all."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SecondTable:
    """``n`` rows and their ``m`` buckets.

    ``rows`` (n, :data:`COLUMNS`): each row's key, figures and histogram sizes. ``buckets`` and ``counts`` (m): those
    of each row's three histograms, in order.
    """

    rows: Ints
    buckets: Narrow
    counts: Narrow

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def second(self) -> Ints:
        return self.rows[:, SECOND]

    @property
    def phase(self) -> Ints:
        return self.rows[:, PHASE]

    @property
    def segment(self) -> Ints:
        return self.rows[:, SEGMENT]

    @property
    def endpoint(self) -> Ints:
        return self.rows[:, ENDPOINT]

    @property
    def requests(self) -> Ints:
        return self.rows[:, REQUESTS]

    @property
    def sizes(self) -> Ints:
        """How many buckets each histogram has; shape (n, 3)."""
        return self.rows[:, SIZES:]

    @classmethod
    def empty(cls) -> Self:
        none = np.zeros(0, dtype=np.uint16)
        return cls(np.zeros((0, COLUMNS), dtype=np.int64), none, none)

    @classmethod
    def joined(cls, parts: list[SecondTable]) -> Self:
        """The rows of all parts, one part after the other."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.buckets for part in parts]),
            np.concatenate([part.counts for part in parts]),
        )

    def of(self, rows: Ints) -> SecondTable:
        """Only these rows, given by their numbers."""
        _, buckets, counts = self.histograms((rows[:, None] * KINDS + np.arange(KINDS)).ravel())
        return SecondTable(self.rows[rows], buckets, counts)

    def histograms(self, numbers: Ints) -> tuple[Ints, Narrow, Narrow]:
        """Some histograms one behind the other: their sizes, buckets and counts.

        Number ``3 * row + kind`` is one of a row's three.
        """
        sizes = self.sizes.ravel()
        taken = sizes[numbers]
        here = np.repeat(np.cumsum(sizes)[numbers] - np.cumsum(taken), taken) + np.arange(taken.sum())
        return taken, self.buckets[here], self.counts[here]

    def to_wire(self) -> dict[str, bytes]:
        """For msgpack: every array as little-endian bytes, the counts as narrow as they are."""
        most = int(self.counts.max(initial=0))
        width = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4
        return {
            "rows": self.rows.astype("<i8").tobytes(),
            "buckets": self.buckets.astype("<u2").tobytes(),
            "counts": self.counts.astype(_COUNT_TYPES[width]).tobytes(),
        }

    @classmethod
    def from_wire(cls, wire: Any) -> Self:
        """The inverse of :meth:`to_wire`, for bytes from anywhere; the arrays are views of them.

        Raises ``ValueError`` if the parts do not fit together or hold an impossible value.
        """
        parts = [wire.get(name) for name in ("rows", "buckets", "counts")] if isinstance(wire, dict) else []
        whole = [part for part in parts if isinstance(part, bytes)]
        if len(whole) < 3:
            raise ValueError("a second table is a map of rows, buckets and counts, as bytes")
        rows, buckets, counts = whole
        if len(rows) > 8 * COLUMNS * MOST_ROWS or len(buckets) > 2 * MOST_BUCKETS:
            raise ValueError(f"a second table has at most {MOST_ROWS:,} rows and {MOST_BUCKETS:,} buckets")
        width = 2 * len(counts) // len(buckets) if buckets else 1
        table = cls(
            np.frombuffer(rows, "<i8").reshape(-1, COLUMNS),
            np.frombuffer(buckets, "<u2"),
            np.frombuffer(counts, _COUNT_TYPES.get(width, "<u1")),
        )
        table._check()
        return table

    def _check(self) -> None:
        sizes = self.sizes.ravel()
        if len(self.counts) != len(self.buckets):
            raise ValueError("buckets and counts of a second table differ in length")
        # Read as unsigned, a value below 0 is above every limit.
        if (self.rows.view(np.uint64) >= LIMITS).any():
            raise ValueError("a key or a figure of a second table is out of range")
        if int(sizes.sum()) != len(self.buckets):
            raise ValueError("buckets and sizes of a second table differ in length")
        if not len(self.buckets):
            return
        if self.buckets.max() > LAST_BUCKET:
            raise ValueError("a bucket of a second table is out of range")
        # The count up to each histogram's end, minus the count up to the end before: its own count.
        up_to = np.zeros(len(self.counts) + 1, dtype=np.int64)
        np.cumsum(self.counts, out=up_to[1:])
        up_to_its_end = up_to[np.cumsum(sizes)]
        counted = up_to_its_end.copy()
        counted[1:] -= up_to_its_end[:-1]
        if (counted.reshape(-1, KINDS) > self.rows[:, [REQUESTS, REQUESTS, FAILURES]]).any():
            raise ValueError("histograms of a second table count more than there were requests")
