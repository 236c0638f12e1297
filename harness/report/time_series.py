"""The run over time as charts read it: at most 1,200 points, each the exact sum of the seconds it covers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable
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
"""The charts offer so many of the busiest endpoints. Tables list all of them."""
_MOST_ERRORS = 6
_HEAT_COLUMNS = 240
HEAT_ROWS_PER_DECADE = 20
_SHARES = (0.5, 0.95, 0.99)


def busiest_endpoints(journal: Journal) -> list[int]:
    """The ids of the endpoints that the charts offer, most requests first."""
    requests: Counter[int] = Counter()
    for second in journal.seconds:
        for endpoint, count in zip(second.table.endpoint.tolist(), second.table.requests.tolist(), strict=True):
            requests[endpoint] += count
    return [endpoint for endpoint, _ in requests.most_common(MOST_ENDPOINTS)]


def seconds_of(journal: Journal, endpoint: int | None) -> list[tuple[int, EndpointSecond]]:
    """What one endpoint did in each second, or each of all endpoints (None)."""
    return [
        (second.second, endpoint_second)
        for second in journal.seconds
        for endpoint_second in EndpointSecond.all_of(
            second.table, None if endpoint is None else np.flatnonzero(second.table.endpoint == endpoint).tolist()
        )
    ]


def rounded(values: Iterable[float]) -> list[float | None]:
    """``values`` with 4 significant digits, more than a chart shows. NaN (no value) becomes None."""
    return [None if value != value else float(f"{value:.4g}") for value in values]


class TimeAxis:
    """The run divided into ``points`` steps of ``step_s`` whole seconds."""

    def __init__(self, journal: Journal) -> None:
        last = max((second.second + 1 for second in journal.seconds), default=0)
        self.seconds = max(last, 1)
        self.step_s = -(-self.seconds // MOST_POINTS)
        self.points = -(-self.seconds // self.step_s)
        # The last step may have fewer seconds, and its rates divide by those.
        self.lengths: Floats = np.full(self.points, float(self.step_s))
        self.lengths[-1] = self.seconds - self.step_s * (self.points - 1)

    def rates(self, counts: Ints | Floats) -> list[float | None]:
        """Counts by point as rates per second."""
        return rounded(counts / self.lengths)


def endpoint_over_time(seconds: list[tuple[int, EndpointSecond]], axis: TimeAxis) -> dict[str, Any]:
    """One endpoint's figures by point: rates per second, response times in ms (None if no request completed)."""
    response = HistogramTable.of([(second // axis.step_s, part.response) for second, part in seconds], axis.points)
    quantiles = response.quantiles_ms(_SHARES)
    failures = np.zeros(axis.points)
    for second, part in seconds:
        failures[second // axis.step_s] += part.failures
    figures: dict[str, Any] = {
        "started": axis.rates(_started(seconds, axis)),
        "completed": axis.rates(response.totals()),
        "failed": axis.rates(failures),
        "max": rounded(np.where(response.totals() > 0, response.maxima / 1000, np.nan)),
        "heat": _heat(seconds, axis),
    }
    for name, row in zip(("p50", "p95", "p99"), quantiles, strict=True):
        figures[name] = rounded(row)
    open_model = [
        (second // axis.step_s, part.service) for second, part in seconds if part.service is not part.response
    ]
    if open_model:
        figures["service_p95"] = rounded(HistogramTable.of(open_model, axis.points).quantiles_ms((0.95,))[0])
    return figures


def _started(seconds: list[tuple[int, EndpointSecond]], axis: TimeAxis) -> Floats:
    """Requests by the point in which they were sent: the second in which each completed less its service time.

    When within its second a request completed is not recorded, so its start is divided between the two seconds
    that it may lie in.
    """
    table = HistogramTable.of([(second, part.service) for second, part in seconds], axis.seconds)
    middle_s = (lowest_of(table.indices) + highest_of(table.indices)) / 2e6
    earliest = np.maximum(table.keys - middle_s, 0.0)
    whole = np.floor(earliest).astype(np.int64)
    later = earliest - whole
    after = np.minimum(whole + 1, axis.seconds - 1)
    points = np.concatenate([whole, after]) // axis.step_s
    weights = np.concatenate([table.counts * (1 - later), table.counts * later])
    return np.bincount(points, weights=weights, minlength=axis.points).astype(np.float64)


def log_rows(indices: Narrow, per_decade: int) -> Ints:
    """The row of each bucket on a logarithmic scale that begins at 1 µs."""
    rows: Ints = np.floor(per_decade * np.log10(np.maximum(lowest_of(indices), 1)) + 1e-9).astype(np.int64)
    return rows


def _heat(seconds: list[tuple[int, EndpointSecond]], axis: TimeAxis) -> list[int]:
    """The cells of the latency heat map that are not empty, flat: column, row, count, column, row, count …"""
    width = heat_step_s(axis)
    table = HistogramTable.of([(second // width, part.response) for second, part in seconds], axis.seconds)
    rows = log_rows(table.indices, HEAT_ROWS_PER_DECADE)
    cells = table.summed(table.keys * 256 + rows, 0)
    filled = np.flatnonzero(cells)
    flat: list[int] = np.stack([filled // 256, filled % 256, cells[filled]], axis=1).ravel().tolist()
    return flat


def heat_step_s(axis: TimeAxis) -> int:
    """The width of a heat map's column in whole seconds."""
    return -(-axis.seconds // _HEAT_COLUMNS)


def errors_over_time(journal: Journal, endpoints: list[int], axis: TimeAxis) -> dict[str, Any]:
    """Failed requests by error: ``names`` (most frequent first, the rest together) and their ``cells``.

    ``cells`` is flat: endpoint (its index in ``endpoints``, -1 for others), index in ``names``, point, count …
    """
    totals: Counter[str] = Counter()
    for failure in journal.failures:
        totals[failure.failure] += failure.count
    errors = [error for error, _ in totals.most_common(_MOST_ERRORS)]
    error_index = {error: index for index, error in enumerate(errors)}
    endpoint_index = {endpoint: index for index, endpoint in enumerate(endpoints)}
    cells: defaultdict[tuple[int, int, int], int] = defaultdict(int)
    for failure in journal.failures:
        point = min(failure.second // axis.step_s, axis.points - 1)
        error = error_index.get(failure.failure, len(errors))
        cells[endpoint_index.get(failure.endpoint, -1), error, point] += failure.count
    names = [plain(error) for error in errors] + (["other errors"] if len(totals) > len(errors) else [])
    return {"names": names, "cells": [number for cell, count in sorted(cells.items()) for number in (*cell, count)]}


def generator_over_time(journal: Journal, axis: TimeAxis) -> dict[str, Any]:
    """The load generator's figures by point; None if no second was recorded.

    They are the users, arrivals waiting for a user, CPU of the busiest worker (per cent of one core) and the longest
    lag of an event loop (ms).
    """
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


def resources_over_time(
    readings: list[Reading], epoch_s: float, axis: TimeAxis, names: Container[str]
) -> dict[str, dict[str, list[float | None]]]:
    """The mean of each point's readings by source and name, of the values in ``names``; None if there is none."""
    sums: defaultdict[tuple[str, str], Floats] = defaultdict(lambda: np.zeros((2, axis.points)))
    for reading in readings:
        point = int((reading.epoch_s - epoch_s) // axis.step_s)
        if not 0 <= point < axis.points:
            continue
        for name, value in reading.values.items():
            if name in names:
                sums[reading.source, name][:, point] += (value, 1)
    found: defaultdict[str, dict[str, list[float | None]]] = defaultdict(dict)
    for (source, name), (total, count) in sums.items():
        found[source][name] = rounded(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return dict(found)
