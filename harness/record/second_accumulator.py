"""Adds up one second of all endpoints: single requests in a worker, the workers' tables in the master.

Buckets are counted in pages of 256 (a quarter of a power of two of microseconds). A page is allocated when its first
value arrives; an endpoint's response times of one second lie in a few of the 108 pages. Adding to a page costs
2-3 ns a bucket; merging sparse histograms by sorting costs 60. Smaller pages cost more to find, larger ones to read.
"""

from __future__ import annotations

import numpy as np

from harness.record import second_table as columns
from harness.record.histogram import LAST_BUCKET, Ints, Narrow, buckets_of
from harness.record.second_table import FAILED, KINDS, RESPONSE, SERVICE, Bools, SecondTable

_PAGE_BITS = 8
_PAGE = 1 << _PAGE_BITS
_PAGES = (LAST_BUCKET >> _PAGE_BITS) + 1
"""The most pages that a histogram can have."""
_NONE = -1

_ENDPOINT_BITS = 21
_SEGMENT_BITS = 21

# The columns of a row's figures: those of a table without its keys and sizes.
_REQUESTS, _FAILURES, _BYTES, _SUMS, _MAXIMA, _COLUMNS = (
    column - columns.REQUESTS
    for column in (
        columns.REQUESTS,
        columns.FAILURES,
        columns.BYTES,
        columns.SUMS_US,
        columns.MAXIMA_US,
        columns.SIZES,
    )
)
_ADDED = np.arange(_MAXIMA)
_GREATEST = np.arange(_MAXIMA, _COLUMNS)
_KINDS = np.arange(KINDS)


def packed(phase: Ints, segment: Ints, endpoint: Ints) -> Ints:
    """One number per (phase, segment, endpoint); each must be within :data:`harness.record.second_table.LIMITS`."""
    keys: Ints = (phase << _SEGMENT_BITS | segment) << _ENDPOINT_BITS | endpoint
    return keys


class SecondAccumulator:
    """All endpoints of one second, exact in every bucket."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        """By packed key."""
        self._is_open: list[bool] = []
        self._figures = np.zeros(0, dtype=np.int64)
        self._page_of = np.zeros(0, dtype=np.int64)
        """By histogram (row x kind) and page: where the page is in ``_counts``, or :data:`_NONE`."""
        self._counts = np.zeros(0, dtype=np.int64)
        self._pages = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add_requests(
        self,
        keys: Ints,
        is_open: Bools,
        *,
        response_us: Ints,
        service_us: Ints,
        bytes_received: Ints,
        failed: Bools,
        timed: Bools,
    ) -> None:
        """Add single requests, an entry each; ``keys`` are from :func:`packed`. Untimed ones are only counted."""
        different, first, which = np.unique(keys, return_index=True, return_inverse=True)
        rows = self._rows_of(different, is_open[first])[which]
        at = rows * _COLUMNS
        np.add.at(self._figures, at + _REQUESTS, 1)
        np.add.at(self._figures, at + _BYTES, bytes_received)
        if failed.any():
            np.add.at(self._figures, at[failed] + _FAILURES, 1)
        if not timed.all():
            rows, response_us, service_us = rows[timed], response_us[timed], service_us[timed]
            is_open, failed = is_open[timed], failed[timed]
        self._add_values(rows, RESPONSE, response_us)
        if is_open.any():
            self._add_values(rows[is_open], SERVICE, service_us[is_open])
        if failed.any():
            self._add_values(rows[failed], FAILED, response_us[failed])

    def _add_values(self, rows: Ints, kind: int, values_us: Ints) -> None:
        at = rows * _COLUMNS + kind
        np.add.at(self._figures, at + _SUMS, values_us)
        np.maximum.at(self._figures, at + _MAXIMA, values_us)
        self._count(rows * KINDS + kind, buckets_of(values_us), np.ones(len(rows), dtype=np.int64))

    def add_table(self, table: SecondTable, endpoints: Ints) -> None:
        """Add the rows of a table, whatever their second. Row ``i`` belongs to endpoint ``endpoints[i]`` here."""
        if not len(table):
            return
        rows = self._rows_of(packed(table.phase, table.segment, endpoints), table.rows[:, columns.IS_OPEN])
        figures = table.rows[:, columns.REQUESTS : columns.SIZES]
        at = rows[:, None] * _COLUMNS
        np.add.at(self._figures, (at + _ADDED).ravel(), figures[:, :_MAXIMA].ravel())
        np.maximum.at(self._figures, (at + _GREATEST).ravel(), figures[:, _MAXIMA:].ravel())
        histograms = (rows[:, None] * KINDS + _KINDS).ravel()
        self._count(
            np.repeat(histograms, table.sizes.ravel()), table.buckets.astype(np.int64), table.counts.astype(np.int64)
        )

    def _rows_of(self, keys: Ints, is_open: Narrow | Bools) -> Ints:
        """The row of each key; a new key gets a new row."""
        known = self._rows
        rows = [known.get(key, _NONE) for key in keys.tolist()]
        if _NONE in rows:
            for index, key in enumerate(keys.tolist()):
                if key not in known:
                    known[key] = len(known)
                    self._is_open.append(bool(is_open[index]))
            rows = [known[key] for key in keys.tolist()]
            self._figures = _grown(self._figures, len(known) * _COLUMNS, 0)
            self._page_of = _grown(self._page_of, len(known) * KINDS * _PAGES, _NONE)
        return np.array(rows, dtype=np.int64)

    def _count(self, histograms: Ints, buckets: Ints, counts: Ints) -> None:
        cells = histograms * _PAGES + (buckets >> _PAGE_BITS)
        pages = self._page_of[cells]
        if len(pages) and pages.min() == _NONE:
            new = np.unique(cells[pages == _NONE])
            self._page_of[new] = np.arange(self._pages, self._pages + len(new))
            self._pages += len(new)
            self._counts = _grown(self._counts, self._pages * _PAGE, 0)
            pages = self._page_of[cells]
        np.add.at(self._counts, pages << _PAGE_BITS | buckets & (_PAGE - 1), counts)

    def table(self, second: int) -> SecondTable:
        """What was added so far, as of ``second``; rows in the order in which they came, buckets ascending."""
        n = len(self._rows)
        cells = np.flatnonzero(self._page_of[: n * KINDS * _PAGES] != _NONE)
        counts = self._counts[: self._pages * _PAGE].reshape(-1, _PAGE)[self._page_of[cells]].ravel()
        filled = np.flatnonzero(counts)
        cell = cells[filled >> _PAGE_BITS]
        keys = np.array(list(self._rows), dtype=np.int64)
        rows = np.empty((n, columns.COLUMNS), dtype=np.int64)
        rows[:, columns.SECOND] = second
        rows[:, columns.PHASE] = keys >> (_ENDPOINT_BITS + _SEGMENT_BITS)
        rows[:, columns.SEGMENT] = keys >> _ENDPOINT_BITS & ((1 << _SEGMENT_BITS) - 1)
        rows[:, columns.ENDPOINT] = keys & ((1 << _ENDPOINT_BITS) - 1)
        rows[:, columns.IS_OPEN] = self._is_open
        rows[:, columns.REQUESTS : columns.SIZES] = self._figures[: n * _COLUMNS].reshape(n, _COLUMNS)
        rows[:, columns.SIZES :] = np.bincount(cell // _PAGES, minlength=n * KINDS).reshape(n, KINDS)
        buckets = (cell % _PAGES) << _PAGE_BITS | filled & (_PAGE - 1)
        return SecondTable(rows, buckets.astype(np.uint16), counts[filled].astype(np.uint32))


def _grown(array: Ints, length: int, filled_with: int) -> Ints:
    """``array`` with room for at least ``length`` entries; an array that must grow doubles."""
    if len(array) >= length:
        return array
    grown = np.full(max(length, 2 * len(array)), filled_with, dtype=np.int64)
    grown[: len(array)] = array
    return grown
