"""Latency histograms of 3 significant digits at microseconds, merged by adding.

The bucket layout is that of HdrHistogram (G. Tene, https://hdrhistogram.org): values below 2,048 µs have a bucket
each; above, every power of two is cut in 1,024 equal buckets, so a bucket is never wider than 1/1,024 (0.1 %) of
its value. Locust rounds to 1 ms below 100 ms and to 2 digits above: a P95 of 1,049 ms and one of 951 ms look alike
there, and 0.4 ms is 0.

A bucket is named by its index; a histogram is sparse: sorted indices and their counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

_SUB_BUCKET_BITS = 11
"""Values below 2**11 µs have a bucket each; see the module's first lines."""

_SUB_BUCKETS = 1 << _SUB_BUCKET_BITS
_HALF = _SUB_BUCKETS >> 1

_VALUE_BITS = 36
MAX_VALUE_US = (1 << _VALUE_BITS) - 1
"""Values above this (19 hours) are counted in the last bucket."""

LAST_BUCKET = (_VALUE_BITS - _SUB_BUCKET_BITS) * _HALF + _SUB_BUCKETS - 1
"""The index of the last bucket, in which ``MAX_VALUE_US`` lies."""

Ints = npt.NDArray[np.int64]
Narrow = npt.NDArray[np.integer[Any]]
"""Whole numbers in the type in which they were recorded; compute with them only where numpy widens the result."""


def rank_of(q: float, count: int) -> int:
    """Which of ``count`` values in order, counted from 1, is their ``q`` quantile: the ``ceil(q · count)``-th."""
    # Slightly less: 0.55 · 100 is 55.00000000000001 in floats, and means the 55th.
    return max(1, math.ceil(q * count - 1e-9))


def bucket_of(value_us: int) -> int:
    """The index of the bucket that counts ``value_us`` (µs); negative values count as 0."""
    if value_us < _SUB_BUCKETS:
        return value_us if value_us > 0 else 0
    if value_us > MAX_VALUE_US:
        value_us = MAX_VALUE_US
    shift = value_us.bit_length() - _SUB_BUCKET_BITS
    return shift * _HALF + (value_us >> shift)


def buckets_of(values_us: Ints) -> Ints:
    """:func:`bucket_of` for an array of values."""
    values = np.clip(np.asarray(values_us, dtype=np.int64), 0, MAX_VALUE_US)
    # frexp's exponent is the bit length, exact below 2**53.
    shift = np.maximum(np.frexp(values.astype(np.float64))[1].astype(np.int64) - _SUB_BUCKET_BITS, 0)
    buckets: Ints = shift * _HALF + (values >> shift)
    return buckets


def lowest_of(indices: Narrow) -> Ints:
    """The lowest value (µs) that each bucket of ``indices`` counts."""
    indices = np.asarray(indices, dtype=np.int64)
    shift = np.maximum(indices // _HALF - 1, 0)
    lowest: Ints = (indices - shift * _HALF) << shift
    return lowest


def highest_of(indices: Narrow) -> Ints:
    """The highest value (µs) that each bucket of ``indices`` counts."""
    return lowest_of(np.asarray(indices, dtype=np.int64) + 1) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """A finished histogram: ``indices`` (sorted) and their ``counts``, the exact sum and maximum.

    ``sum_us`` and ``max_us`` are kept beside the buckets so that mean and maximum are exact.
    """

    indices: Narrow
    counts: Narrow
    sum_us: int
    max_us: int

    @classmethod
    def empty(cls) -> Self:
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, 0, 0)

    @classmethod
    def merged(cls, parts: list[Histogram]) -> Self:
        """The sum of ``parts``, exact in every bucket."""
        parts = [part for part in parts if len(part.indices)]
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            only = parts[0]
            return cls(only.indices, only.counts, only.sum_us, only.max_us)
        indices = np.concatenate([part.indices for part in parts])
        counts = np.concatenate([part.counts for part in parts])
        # Sums of doubles are exact below 2**53.
        summed = np.bincount(indices, weights=counts)
        filled = np.flatnonzero(summed)
        sum_us, max_us = sum(part.sum_us for part in parts), max(part.max_us for part in parts)
        return cls(filled, summed[filled].astype(np.int64), sum_us, max_us)

    def minus(self, part: Histogram) -> Histogram:
        """This histogram without ``part``, which it must contain.

        The maximum is that of the highest bucket left, at most this histogram's own.
        """
        if not part.count:
            return self
        counts = self.counts.astype(np.int64)
        counts[np.searchsorted(self.indices, part.indices)] -= part.counts
        remaining = counts > 0
        indices = self.indices[remaining]
        highest = int(highest_of(indices[-1:])[0]) if len(indices) else 0
        return Histogram(indices, counts[remaining], self.sum_us - part.sum_us, min(highest, self.max_us))

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    @property
    def mean_us(self) -> float:
        """The exact mean in µs; NaN without values."""
        count = self.count
        return self.sum_us / count if count else float("nan")

    def quantile_us(self, q: float) -> float:
        """The value (µs) that a share ``q`` (0…1) of all values does not exceed; NaN without values.

        As in HdrHistogram: the highest value of the bucket in which the ``ceil(q · n)``-th smallest value lies,
        and never more than the exact maximum.
        """
        return float(min(int(highest_of(np.array([self.bucket_at(q)]))[0]), self.max_us)) if self.count else math.nan

    def bucket_at(self, q: float) -> int:
        """The index of the bucket in which the ``q`` quantile lies. There must be values."""
        return int(self.indices[np.searchsorted(np.cumsum(self.counts), rank_of(q, self.count))])

    def count_above(self, value_us: int) -> int:
        """How many values certainly exceed ``value_us``: those in the buckets above its own."""
        return int(self.counts[self.indices > bucket_of(value_us)].sum())


class HistogramSum:
    """A histogram that grows: one array over all buckets, since merging sparse ones costs more with every part."""

    def __init__(self) -> None:
        self._counts = np.zeros(LAST_BUCKET + 1, dtype=np.int64)
        self._sum_us = 0
        self._max_us = 0

    def add(self, part: Histogram) -> None:
        self._counts[part.indices] += part.counts
        self._sum_us += part.sum_us
        self._max_us = max(self._max_us, part.max_us)

    def whole(self) -> Histogram:
        """All that was added so far."""
        indices = np.nonzero(self._counts)[0]
        return Histogram(indices, self._counts[indices], self._sum_us, self._max_us)
