"""The requests of each charted endpoint over time, and by phase, from one pass over the recorded seconds.

All figures are exact sums of the recorded buckets, never means of percentiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import LAST_BUCKET, Ints, Narrow, highest_of, lowest_of
from harness.record.journal import Journal
from harness.record.second_accumulator import SecondAccumulator
from harness.record.second_table import (
    FAILURES,
    IS_OPEN,
    KINDS,
    MAXIMA_US,
    PHASE,
    RESPONSE,
    SEGMENT,
    SERVICE,
    SecondTable,
)
from harness.report.time_series import Floats, TimeAxis, rounded

HEAT_ROWS_PER_DECADE = 20
_HEAT_COLUMNS = 240
_HEAT_ROWS = 256
_MIDDLE_S = (lowest_of(np.arange(LAST_BUCKET + 1)) + highest_of(np.arange(LAST_BUCKET + 1))) / 2e6


def log_rows(indices: Narrow, per_decade: int) -> Ints:
    """The row of each bucket on a logarithmic scale that begins at 1 µs."""
    rows: Ints = np.floor(per_decade * np.log10(np.maximum(lowest_of(indices), 1)) + 1e-9).astype(np.int64)
    return rows


_HEAT_ROW = log_rows(np.arange(LAST_BUCKET + 1), HEAT_ROWS_PER_DECADE)


def heat_step_s(axis: TimeAxis) -> int:
    """The width of a heat map's column in whole seconds."""
    return axis.step_s * -(-axis.points // _HEAT_COLUMNS)


def endpoints_over_time(
    journal: Journal, ids: Sequence[int], axis: TimeAxis
) -> list[tuple[dict[str, Any], list[EndpointSecond]]]:
    """Of all endpoints together, then of each of ``ids``: its figures by point, and what ended in the run by phase.

    Rates are per second, response times in ms (None if no request completed). ``heat`` are the cells of the latency
    heat map that are not empty, flat: column, row, count, column, row, count …
    """
    others = len(ids) + 1
    slot_of = np.full(max(journal.endpoints, default=0) + 1, others)
    slot_of[list(ids)] = np.arange(1, others)
    by_slot = _Figures(others + 1, axis)
    whole = SecondAccumulator()
    for point, seconds in groupby(journal.seconds, lambda second: second.second // axis.step_s):
        joined = SecondTable.joined([second.table for second in seconds])
        joined.rows[:, SEGMENT] = 0
        by_phase = _summed(joined, slot_of[joined.endpoint])
        whole.add_table(by_phase, by_phase.endpoint)
        whole.add_table(by_phase, np.zeros_like(by_phase.endpoint))
        by_slot.add_started(point, by_phase)
        by_phase.rows[:, PHASE] = 0
        by_slot.add(point, _summed(by_phase, by_phase.endpoint, np.zeros_like(by_phase.endpoint)))
    parts: list[list[EndpointSecond]] = [[] for _ in range(others + 1)]
    for part in EndpointSecond.all_of(whole.table(0)):
        parts[part.endpoint].append(part)
    return [(by_slot.figures(slot), parts[slot]) for slot in range(others)]


def _summed(table: SecondTable, *endpoints: Ints) -> SecondTable:
    sums = SecondAccumulator()
    for each in endpoints:
        sums.add_table(table, each)
    return sums.table(0)


class _Figures:
    """Figures by slot (0: all endpoints) and point."""

    def __init__(self, slots: int, axis: TimeAxis) -> None:
        self._axis = axis
        self._started = np.zeros((slots, axis.points))
        self._completed, self._failed = self._started.copy(), self._started.copy()
        names = ("max", "p50", "p95", "p99", "service_p95")
        self._times_ms = {name: np.full((slots, axis.points), np.nan) for name in names}
        self._heat = np.zeros((slots, _HEAT_COLUMNS, _HEAT_ROWS), dtype=np.int64)
        self._heat_width = heat_step_s(axis) // axis.step_s

    def add_started(self, point: int, table: SecondTable) -> None:
        """Requests by the point in which they were sent: that in which each completed less its service time.

        When within its point a request completed is not recorded, so its start is divided between the two points that
        it may lie in.
        """
        for kind in (RESPONSE, SERVICE):
            here = table.of(table.rows[:, IS_OPEN] == (kind == SERVICE))
            slots, buckets, counts = _buckets(here, kind)
            earliest = np.maximum(point - _MIDDLE_S[buckets] / self._axis.step_s, 0.0)
            first = earliest.astype(np.int64)
            later = earliest - first
            np.add.at(self._started, (slots, first), counts * (1 - later))
            np.add.at(self._started, (slots, np.minimum(first + 1, self._axis.points - 1)), counts * later)

    def add(self, point: int, table: SecondTable) -> None:
        """Requests by the point in which they completed."""
        slots = table.endpoint
        totals, quantiles = quantiles_ms(table, RESPONSE, (0.5, 0.95, 0.99))
        times = self._times_ms
        times["p50"][slots, point], times["p95"][slots, point], times["p99"][slots, point] = quantiles
        times["max"][slots, point] = np.where(totals > 0, table.rows[:, MAXIMA_US + RESPONSE] / 1000, np.nan)
        times["service_p95"][slots, point] = quantiles_ms(table, SERVICE, (0.95,))[1][0]
        self._completed[slots, point] = totals
        self._failed[slots, point] = table.rows[:, FAILURES]
        rows, buckets, counts = _buckets(table, RESPONSE)
        np.add.at(self._heat[:, point // self._heat_width], (rows, _HEAT_ROW[buckets]), counts)

    def figures(self, slot: int) -> dict[str, Any]:
        """Of one endpoint. ``service_p95`` is there only in the open model."""
        started = self._started[slot] if slot else self._started.sum(axis=0)
        figures: dict[str, Any] = {
            "started": self._axis.rates(started),
            "completed": self._axis.rates(self._completed[slot]),
            "failed": self._axis.rates(self._failed[slot]),
        }
        for name, row in self._times_ms.items():
            if name != "service_p95" or not np.isnan(row[slot]).all():
                figures[name] = rounded(row[slot])
        heat = self._heat[slot]
        columns, rows = np.nonzero(heat)
        return figures | {"heat": np.stack([columns, rows, heat[columns, rows]], axis=1).ravel().tolist()}


def _buckets(table: SecondTable, kind: int) -> tuple[Ints, Narrow, Narrow]:
    """The buckets of one histogram of each row: the row's endpoint, the bucket and its count."""
    is_kind = np.arange(KINDS * len(table)) % KINDS == kind
    here = np.repeat(is_kind, table.sizes.ravel())
    return np.repeat(table.endpoint, table.sizes[:, kind]), table.buckets[here], table.counts[here]


def quantiles_ms(table: SecondTable, kind: int, shares: Sequence[float]) -> tuple[Ints, Floats]:
    """How many values a histogram of each row counts, and by share and row the value (ms) that it does not exceed.

    The same definition as :meth:`Histogram.quantile_us`; NaN without values.
    """
    running: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(table.counts, dtype=np.int64)])
    ends = np.cumsum(table.sizes).reshape(-1, KINDS)[:, kind]
    before = running[ends - table.sizes[:, kind]]
    totals: Ints = running[ends] - before
    there = totals > 0
    found = np.full((len(shares), len(table)), np.nan)
    for row, share in enumerate(shares):
        ranks = np.maximum(1, np.ceil(share * totals[there] - 1e-9).astype(np.int64))
        buckets = table.buckets[np.searchsorted(running, before[there] + ranks) - 1]
        found[row, there] = np.minimum(highest_of(buckets), table.rows[there, MAXIMA_US + kind]) / 1000
    return totals, found
