"""The requests of each charted endpoint over time, from one pass over the recorded seconds.

All figures are exact sums of the recorded buckets, never means of percentiles.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from harness.record.histogram import LAST_BUCKET, Ints, Narrow, highest_of, lowest_of
from harness.record.journal import Journal
from harness.record.second_table import FAILURES, IS_OPEN, KINDS, MAXIMA_US, RESPONSE, SERVICE, SecondTable
from harness.report.time_series import Floats, TimeAxis, rounded

HEAT_ROWS_PER_DECADE = 20
_HEAT_COLUMNS = 240
_HEAT_ROWS = 256
_AT_ONCE = 50
"""How many points are computed at once: more take more memory, fewer more time."""
_BUCKET_BITS = LAST_BUCKET.bit_length()
_BUCKETS = np.arange(LAST_BUCKET + 1)
_MIDDLE_S = (lowest_of(_BUCKETS) + highest_of(_BUCKETS)) / 2e6


def log_rows(indices: Narrow, per_decade: int) -> Ints:
    """The row of each bucket on a logarithmic scale that begins at 1 µs."""
    rows: Ints = np.floor(per_decade * np.log10(np.maximum(lowest_of(indices), 1)) + 1e-9).astype(np.int64)
    return rows


_HEAT_ROW = log_rows(_BUCKETS, HEAT_ROWS_PER_DECADE)


def heat_step_s(axis: TimeAxis) -> int:
    """The width of a heat map's column in whole seconds."""
    return -(-axis.seconds // _HEAT_COLUMNS)


def endpoints_over_time(
    journal: Journal, ids: Sequence[int], axis: TimeAxis, among: Collection[int] | None = None
) -> list[dict[str, Any]]:
    """The figures by point of all endpoints together (of those ``among`` them), then of each of ``ids``.

    Rates are per second, response times in ms (None if no request completed). ``service_p95`` is there only in the open
    model. ``heat`` are the cells of the latency heat map that are not empty, flat: column, row, count, column …
    """
    others = len(ids) + 1
    slot_of = np.full(max(journal.endpoints, default=0) + 1, others)
    slot_of[list(ids)] = np.arange(1, others)
    is_among = np.isin(np.arange(len(slot_of)), list(journal.endpoints if among is None else among))
    figures = _Figures(others + 1, axis)
    for _, seconds in groupby(journal.seconds, lambda second: second.second // axis.step_s // _AT_ONCE):
        table = SecondTable.joined([second.table for second in seconds])
        if among is not None:
            table = table.of(np.flatnonzero(is_among[table.endpoint]))
        figures.add(table, slot_of[table.endpoint])
        figures.add(table, np.zeros(len(table), dtype=np.int64))
    return [figures.of(slot) for slot in range(others)]


class _Figures:
    """Figures by slot (0: all endpoints) and point."""

    def __init__(self, slots: int, axis: TimeAxis) -> None:
        self._axis = axis
        rates, times = ("started", "completed", "failed"), ("max", "p50", "p95", "p99", "service_p95")
        self._rates = {name: np.zeros((slots, axis.points)) for name in rates}
        self._times_ms = {name: np.full((slots, axis.points), np.nan) for name in times}
        self._heat = np.zeros((slots, _HEAT_COLUMNS, _HEAT_ROWS))

    def add(self, table: SecondTable, slots: Ints) -> None:
        """Add the rows of a table, each to its slot."""
        if not len(table):
            return
        points = table.second // self._axis.step_s
        self._add_started(table, slots)
        _add(self._rates["failed"], slots * self._axis.points + points, table.rows[:, FAILURES])
        self._add_times(table, slots, points, RESPONSE, {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0})
        self._add_times(table, slots, points, SERVICE, {"service_p95": 0.95})
        sizes, buckets, counts = table.histograms(np.arange(len(table)) * KINDS + RESPONSE)
        columns = slots * _HEAT_COLUMNS + table.second // heat_step_s(self._axis)
        _add(self._heat, np.repeat(columns * _HEAT_ROWS, sizes) + _HEAT_ROW[buckets], counts)

    def _add_started(self, table: SecondTable, slots: Ints) -> None:
        """Requests by the point in which they were sent: that in which each completed less its service time.

        When within its second a request completed is not recorded, so its start is divided between the two seconds
        that it may lie in.
        """
        kinds = np.where(table.rows[:, IS_OPEN] > 0, SERVICE, RESPONSE)
        sizes, buckets, counts = table.histograms(np.arange(len(table)) * KINDS + kinds)
        earliest = np.maximum(np.repeat(table.second, sizes) - _MIDDLE_S[buckets], 0.0)
        first = earliest.astype(np.int64)
        later, cells = earliest - first, np.repeat(slots * self._axis.points, sizes)
        after = np.minimum(first + 1, self._axis.seconds - 1)
        _add(self._rates["started"], cells + first // self._axis.step_s, counts * (1 - later))
        _add(self._rates["started"], cells + after // self._axis.step_s, counts * later)

    def _add_times(self, table: SecondTable, slots: Ints, points: Ints, kind: int, shares: dict[str, float]) -> None:
        """Requests by the point in which they completed."""
        cells, which = np.unique(slots * self._axis.points + points, return_inverse=True)
        totals, quantiles = quantiles_ms(table, kind, which, len(cells), list(shares.values()))
        at = np.divmod(cells, self._axis.points)
        for name, row in zip(shares, quantiles, strict=True):
            self._times_ms[name][at] = row
        if kind == RESPONSE:
            self._rates["completed"][at] = totals

    def of(self, slot: int) -> dict[str, Any]:
        """The figures of one slot."""
        figures = {name: self._axis.rates(rows[slot]) for name, rows in self._rates.items()}
        for name, rows in self._times_ms.items():
            if name != "service_p95" or not np.isnan(rows[slot]).all():
                figures[name] = rounded(rows[slot])
        heat = self._heat[slot].astype(np.int64)
        cells = np.nonzero(heat)
        return {**figures, "heat": np.stack([*cells, heat[cells]], axis=1).ravel().tolist()}


def _add(to: Floats, cells: Ints, values: Ints | Floats | Narrow) -> None:
    """Add each value to its cell, counted through all axes; numpy is slow only where there are several."""
    np.add.at(to.reshape(-1), cells, values.astype(np.float64))


def quantiles_ms(
    table: SecondTable, kind: int, keys: Ints, size: int, shares: Sequence[float]
) -> tuple[Ints, list[Floats]]:
    """How many values the histograms of the rows of each key (0…size-1) count, and by share the value (ms) by key.

    The same definition as :meth:`Histogram.quantile_us`; NaN without values.
    """
    sizes, buckets, counts = table.histograms(np.arange(len(table)) * KINDS + kind)
    every = np.repeat(keys, sizes)
    order = np.argsort(every << _BUCKET_BITS | buckets)
    running = np.cumsum(counts[order], dtype=np.int64)
    totals = np.bincount(every, weights=counts, minlength=size).astype(np.int64)
    before, there = np.cumsum(totals) - totals, totals > 0
    maxima = np.zeros(size, dtype=np.int64)
    np.maximum.at(maxima, keys, table.rows[:, MAXIMA_US + kind])
    quantiles = []
    for share in shares:
        ranks = np.maximum(1, np.ceil(share * totals[there] - 1e-9).astype(np.int64))
        found = np.full(size, np.nan)
        highest = highest_of(buckets[order[np.searchsorted(running, before[there] + ranks)]])
        found[there] = np.minimum(highest, maxima[there]) / 1000
        quantiles.append(found)
    return totals, quantiles
