"""Line charts over time of what was sampled: the load generator by itself, and the readings of all samplers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness.record.journal import Journal
from harness.record.resources import Line, LineChart, Reading
from harness.report.time_series import TimeAxis, generator_over_time, resources_over_time
from harness.sampling.registry import SAMPLERS

_USERS = LineChart(
    "users",
    "Users",
    (
        Line("generator", "users", "users", "green", filled=True),
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
