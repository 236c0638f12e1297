"""The run over time as charts read it: at most 1,200 points, each an exact sum of its seconds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.record.histogram import Ints
from harness.record.journal import Journal
from harness.record.measurement import ONLY
from harness.record.plain_text import natural, plain
from harness.record.resources import Line, LineChart, Reading
from harness.record.second_table import IS_OPEN, RESPONSE, SERVICE, SUMS_US
from harness.sampling.registry import SAMPLERS

Floats = npt.NDArray[np.float64]

MOST_POINTS = 1200
MOST_ENDPOINTS = 40
"""How many of the busiest endpoints the charts offer. Tables list all of them."""
_MOST_ERRORS = 6

_USERS = LineChart(
    "users",
    "Users",
    (
        Line("generator", "users", "users", "green", filled=True),
        Line("generator", "in_flight", "requests in flight", "blue"),
        Line("generator", "waiting", "arrivals waiting for a user", "red"),
    ),
    empty="No user ran.",
    decimals=0,
)
_GENERATOR = LineChart(
    "generator",
    "Load generator",
    (
        Line("generator", "worker_cpu", "busiest worker, % of a core", "orange"),
        Line("generator", "lag_ms", "event loop lag, ms", "purple"),
    ),
    note="CPU of its busiest worker, and event loop lag",
    empty="The load generator reported no figures of its own.",
)
CHARTS: tuple[LineChart, ...] = (_USERS, *(chart for kind in SAMPLERS for chart in kind.charts), _GENERATOR)


def busiest_endpoints(journal: Journal, variant: str = ONLY) -> list[int]:
    """The ids of the endpoints of a variant that the charts offer, most requests first."""
    requests = np.zeros(max(journal.endpoints, default=0) + 1, dtype=np.int64)
    for second in journal.seconds:
        np.add.at(requests, second.table.endpoint, second.table.requests)
    used = [
        number for number, endpoint in journal.endpoints.items() if requests[number] and endpoint.variant == variant
    ]
    used.sort(key=lambda endpoint: (-requests[endpoint], natural(str(journal.endpoints[endpoint]))))
    return used[:MOST_ENDPOINTS]


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


def errors_over_time(journal: Journal, endpoints: list[int], axis: TimeAxis, variant: str = ONLY) -> dict[str, Any]:
    """A variant's failed requests by error: ``names`` (most frequent first, the rest together) and their ``cells``.

    ``cells`` is flat: endpoint (its index in ``endpoints``, -1 for others), index in ``names``, point, count …
    """
    failures = [failure for failure in journal.failures if journal.endpoints[failure.endpoint].variant == variant]
    totals: Counter[str] = Counter()
    for failure in failures:
        totals[failure.failure] += failure.count
    errors = [error for error, _ in totals.most_common(_MOST_ERRORS)]
    error_index = {error: index for index, error in enumerate(errors)}
    endpoint_index = {endpoint: index for index, endpoint in enumerate(endpoints)}
    cells: defaultdict[tuple[int, int, int], int] = defaultdict(int)
    for failure in failures:
        point = min(failure.second // axis.step_s, axis.points - 1)
        error = error_index.get(failure.failure, len(errors))
        cells[endpoint_index.get(failure.endpoint, -1), error, point] += failure.count
    names = [plain(error) for error in errors] + (["other errors"] if len(totals) > len(errors) else [])
    return {"names": names, "cells": [number for cell, count in sorted(cells.items()) for number in (*cell, count)]}


def generator_over_time(journal: Journal, axis: TimeAxis) -> dict[str, Any]:
    """The load generator's figures by point; None if no second was recorded.

    They are the users, requests in flight, arrivals waiting for a user, CPU of the busiest worker (per cent of one
    core) and the longest lag of an event loop (ms). The open model keeps users that are idle: it has none here.
    """
    rows = {name: np.full(axis.points, np.nan) for name in ("users", "in_flight", "waiting", "worker_cpu", "lag_ms")}
    is_open = False
    for second in journal.seconds:
        point = second.second // axis.step_s
        figures = second.table.rows
        if len(figures):
            is_open = bool(figures[:, IS_OPEN].any())
        # Little's law: the times of the requests that ended in a second, added up.
        busy_us = figures[:, SUMS_US + (SERVICE if is_open else RESPONSE)].sum()
        values = {"in_flight": float(busy_us) / 1e6} | ({} if is_open else {"users": float(second.users)})
        if second.workers:
            values["waiting"] = float(sum(worker.waiting for worker in second.workers))
            values["worker_cpu"] = 100 * max(worker.cpu for worker in second.workers)
            values["lag_ms"] = max(worker.lag_ms for worker in second.workers)
        for name, value in values.items():
            rows[name][point] = np.fmax(rows[name][point], value)
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


def line_charts(journal: Journal, readings: list[Reading], axis: TimeAxis) -> list[dict[str, Any]]:
    """Each chart as ``assets/chartkinds.js`` reads it: its texts, and its lines that have a value other than 0."""
    names = {line.value for chart in CHARTS for line in chart.lines}
    values = resources_over_time(readings, journal.epoch_s, axis, names)
    values["generator"] = values.get("generator", {}) | generator_over_time(journal, axis)
    return [
        asdict(chart) | {"lines": [_line(line, found) for line in chart.lines if any(found := _values(line, values))]}
        for chart in CHARTS
    ]


def _values(line: Line, values: Mapping[str, Mapping[str, list[float | None]]]) -> list[float | None]:
    found = values.get(line.source, {}).get(line.value, [])
    return [None if value is None else value / line.scale for value in found]


def _line(line: Line, values: list[float | None]) -> dict[str, Any]:
    return {"name": line.name, "tone": line.tone, "filled": line.filled, "values": values}
