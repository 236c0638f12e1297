"""Many histograms as one long table, so that a run of 1,800 s × 20 endpoints is summed up in a moment.

Each row is a bucket of one histogram with the key it belongs to (a second, a phase). Quantiles by key come from one
sort; they are exact sums of the recorded buckets, never means of percentiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from harness.record.histogram import Histogram, Ints, Narrow, highest_of

Floats = npt.NDArray[np.float64]

_KEY = 1 << 16
"""Bucket indices are below this (values up to 19 hours have index 27,647 at most)."""


@dataclass(frozen=True, slots=True, eq=False)
class HistogramTable:
    """Rows of (key, bucket index, count); ``maxima`` is the exact maximum (µs) by key, 0 where there is no value."""

    keys: Ints
    indices: Narrow
    counts: Narrow
    maxima: Ints

    @classmethod
    def of(cls, parts: Sequence[tuple[int, Histogram]], size: int) -> Self:
        """The table of ``parts``, each a key in 0…``size``-1 and a histogram that counts towards it."""
        nothing = np.zeros(0, dtype=np.int64)
        maxima = np.zeros(size, dtype=np.int64)
        if not parts:
            return cls(nothing, nothing, nothing, maxima)
        keys = np.array([key for key, _ in parts], dtype=np.int64)
        np.maximum.at(maxima, keys, np.array([part.max_us for _, part in parts], dtype=np.int64))
        return cls(
            np.repeat(keys, [len(part.indices) for _, part in parts]),
            np.concatenate([part.indices for _, part in parts]),
            np.concatenate([part.counts for _, part in parts]),
            maxima,
        )

    def totals(self) -> Ints:
        """How many values each key counts."""
        return self.summed(self.keys, len(self.maxima))

    def summed(self, bins: Ints, size: int) -> Ints:
        """The counts added up by ``bins`` (one for each row, 0…``size``-1)."""
        sums: Ints = np.bincount(bins, weights=self.counts, minlength=size).astype(np.int64)
        return sums

    def quantiles_ms(self, shares: Sequence[float]) -> Floats:
        """By share (rows) and key (columns) the value, in ms, that the share (0…1) does not exceed; NaN without values.

        The same definition as :meth:`Histogram.quantile_us`.
        """
        totals = self.totals()
        found = np.full((len(shares), len(totals)), np.nan)
        order = np.argsort(self.keys * _KEY + self.indices, kind="stable")
        if not len(order):
            return found
        running = np.cumsum(self.counts[order], dtype=np.int64)
        before = np.cumsum(totals) - totals
        there = totals > 0
        for row, share in enumerate(shares):
            ranks = np.maximum(1, np.ceil(share * totals[there] - 1e-9).astype(np.int64))
            rows = order[np.searchsorted(running, before[there] + ranks)]
            found[row, there] = np.minimum(highest_of(self.indices[rows]), self.maxima[there]) / 1000
        return found
