"""The run over time, as the charts read it: at most 1,200 points, each the exact sum of the seconds it stands for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Ints, Narrow, highest_of, lowest_of
from harness.record.journal import Journal
from harness.record.resources import Reading
from harness.report.formatting import plain
from harness.report.histogram_table import Floats, HistogramTable

MOST_POINTS = 1200
MOST_ENDPOINTS = 40
"""So many of the busiest endpoints can be chosen in the charts; the tables hold all."""
_MOST_KINDS = 6
_HEAT_COLUMNS = 240
HEAT_ROWS_PER_DECADE = 20
_SHARES = (0.5, 0.95, 0.99)

_SHOWN_VALUES = ("cpu_percent", "rss_bytes", "threads", "fds")


def busiest_endpoints(journal: Journal) -> list[int]:
    """The ids of the endpoints that the charts offer, those with most requests first."""
    requests: Counter[int] = Counter()
    for second in journal.seconds:
        for endpoint, count in zip(second.table.endpoint.tolist(), second.table.requests.tolist(), strict=True):
            requests[endpoint] += count
    return [endpoint for endpoint, _ in requests.most_common(MOST_ENDPOINTS)]


def series_of(journal: Journal, endpoint: int | None) -> list[tuple[int, EndpointSecond]]:
    """(second, series) of one endpoint, or of all together (None)."""
    return [
        (second.second, series)
        for second in journal.seconds
        for series in EndpointSecond.all_of(
            second.table, None if endpoint is None else np.flatnonzero(second.table.endpoint == endpoint).tolist()
        )
    ]


def rounded(values: Iterable[float]) -> list[float | None]:
    """4 significant digits are more than a chart shows; NaN (no value) becomes null."""
    return [None if value != value else float(f"{value:.4g}") for value in values]


class TimeAxis:
    """The run cut in ``points`` stretches of ``step_s`` whole seconds."""

    def __init__(self, journal: Journal) -> None:
        last = max((second.second + 1 for second in journal.seconds), default=0)
        self.seconds = max(last, 1)
        self.step_s = -(-self.seconds // MOST_POINTS)
        self.points = -(-self.seconds // self.step_s)
        # The last stretch may hold fewer seconds: rates divide by those it has.
        self.lengths: Floats = np.full(self.points, float(self.step_s))
        self.lengths[-1] = self.seconds - self.step_s * (self.points - 1)

    def rates(self, counts: Ints | Floats) -> list[float | None]:
        """Counts by point, as per second."""
        return rounded(counts / self.lengths)


def endpoint_over_time(series: list[tuple[int, EndpointSecond]], axis: TimeAxis) -> dict[str, Any]:
    """One endpoint's figures by point: rates per second, response times in ms (null where nothing ended)."""
    response = HistogramTable.of([(second // axis.step_s, part.response) for second, part in series], axis.points)
    quantiles = response.quantiles_ms(_SHARES)
    failures = np.zeros(axis.points)
    for second, part in series:
        failures[second // axis.step_s] += part.failures
    figures: dict[str, Any] = {
        "started": axis.rates(_started(series, axis)),
        "ended": axis.rates(response.totals()),
        "failed": axis.rates(failures),
        "max": rounded(np.where(response.totals() > 0, response.maxima / 1000, np.nan)),
        "heat": _heat(series, axis),
    }
    for name, row in zip(("p50", "p95", "p99"), quantiles, strict=True):
        figures[name] = rounded(row)
    open_model = [(second // axis.step_s, part.service) for second, part in series if part.service is not part.response]
    if open_model:
        figures["service_p95"] = rounded(HistogramTable.of(open_model, axis.points).quantiles_ms((0.95,))[0])
    return figures


def _started(series: list[tuple[int, EndpointSecond]], axis: TimeAxis) -> Floats:
    """Requests by the point in which they were sent: the second in which each ended less its service time.

    Where in its second a request ended is not recorded: its start is spread evenly over the second it may lie in.
    """
    table = HistogramTable.of([(second, part.service) for second, part in series], axis.seconds)
    middle_s = (lowest_of(table.indices) + highest_of(table.indices)) / 2e6
    earliest = np.maximum(table.keys - middle_s, 0.0)
    whole = np.floor(earliest).astype(np.int64)
    later = earliest - whole
    after = np.minimum(whole + 1, axis.seconds - 1)
    places = np.concatenate([whole, after]) // axis.step_s
    weights = np.concatenate([table.counts * (1 - later), table.counts * later])
    return np.bincount(places, weights=weights, minlength=axis.points).astype(np.float64)


def log_rows(indices: Narrow, per_decade: int) -> Ints:
    """The row of each bucket on a logarithmic scale that begins at 1 µs."""
    rows: Ints = np.floor(per_decade * np.log10(np.maximum(lowest_of(indices), 1)) + 1e-9).astype(np.int64)
    return rows


def _heat(series: list[tuple[int, EndpointSecond]], axis: TimeAxis) -> list[int]:
    """The latency heat map, cells that are not empty: column, row, count, column, row, count …"""
    width = heat_step_s(axis)
    table = HistogramTable.of([(second // width, part.response) for second, part in series], axis.seconds)
    rows = log_rows(table.indices, HEAT_ROWS_PER_DECADE)
    cells = table.summed(table.keys * 256 + rows, 0)
    filled = np.flatnonzero(cells)
    flat: list[int] = np.stack([filled // 256, filled % 256, cells[filled]], axis=1).ravel().tolist()
    return flat


def heat_step_s(axis: TimeAxis) -> int:
    """The width of a heat map's column in whole seconds."""
    return -(-axis.seconds // _HEAT_COLUMNS)


def errors_over_time(journal: Journal, endpoints: list[int], axis: TimeAxis) -> dict[str, Any]:
    """Failures by kind: ``kinds`` (most frequent first, the rest together) and ``cells``, flat:
    endpoint (its place in ``endpoints``; -1 for others), kind, point, count …"""
    totals: Counter[str] = Counter()
    for failure in journal.failures:
        totals[failure.failure] += failure.count
    kinds = [kind for kind, _ in totals.most_common(_MOST_KINDS)]
    places = {kind: place for place, kind in enumerate(kinds)}
    endpoint_places = {endpoint: place for place, endpoint in enumerate(endpoints)}
    cells: defaultdict[tuple[int, int, int], int] = defaultdict(int)
    for failure in journal.failures:
        point = min(failure.second // axis.step_s, axis.points - 1)
        kind = places.get(failure.failure, len(kinds))
        cells[endpoint_places.get(failure.endpoint, -1), kind, point] += failure.count
    names = [plain(kind) for kind in kinds] + (["other kinds"] if len(totals) > len(kinds) else [])
    return {"kinds": names, "cells": [number for cell, count in sorted(cells.items()) for number in (*cell, count)]}


def generator_over_time(journal: Journal, axis: TimeAxis) -> dict[str, Any]:
    """By point: the users that ran, arrivals that waited for a user, the busiest worker (per cent of one core), its
    event loop's greatest delay (ms). Null where no second was recorded."""
    named = {"users": np.fmax, "waiting": np.fmax, "worker_cpu": np.fmax, "lag_ms": np.fmax}
    rows = {name: np.full(axis.points, np.nan) for name in named}
    for second in journal.seconds:
        point = second.second // axis.step_s
        values = {"users": float(second.users)}
        if second.workers:
            values["waiting"] = float(sum(worker.waiting for worker in second.workers))
            values["worker_cpu"] = 100 * max(worker.cpu for worker in second.workers)
            values["lag_ms"] = max(worker.lag_ms for worker in second.workers)
        for name, value in values.items():
            rows[name][point] = named[name](rows[name][point], value)
    return {name: rounded(row) for name, row in rows.items()}


def resources_over_time(readings: list[Reading], epoch_s: float, axis: TimeAxis) -> dict[str, dict[str, Any]]:
    """By source and value the mean of the readings of each point; null where there is none."""
    sums: defaultdict[tuple[str, str], Floats] = defaultdict(lambda: np.zeros((2, axis.points)))
    for reading in readings:
        point = int((reading.epoch_s - epoch_s) // axis.step_s)
        if not 0 <= point < axis.points:
            continue
        for name, value in reading.values.items():
            if name in _SHOWN_VALUES:
                sums[reading.source, name][:, point] += (value, 1)
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for (source, name), (total, count) in sums.items():
        found[source][name] = rounded(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return dict(found)
