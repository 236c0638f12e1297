"""Line charts over time of what was sampled: the load generator by itself, and the readings of all samplers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.record.journal import Journal
from harness.record.line_charts import Line, LineChart, Tone
from harness.record.resources import Reading
from harness.report.time_series import TimeAxis, generator_over_time, resources_over_time
from harness.sampling.registry import SAMPLERS

SAMPLED_CHARTS: tuple[LineChart, ...] = tuple(chart for kind in SAMPLERS for chart in kind.charts)

Values = Sequence[float | None]


def line_charts(journal: Journal, readings: list[Reading], axis: TimeAxis) -> list[dict[str, Any]]:
    """Each chart as ``assets/chartkinds.js`` reads it: its texts, and its lines that have a value other than 0."""
    generator = generator_over_time(journal, axis)
    sampled = resources_over_time(readings, journal.epoch_s, axis, {line.value for line in _lines(SAMPLED_CHARTS)})
    users = [_line("users", "green", generator["users"], filled=True)]
    waiting = [_line("arrivals waiting for a user", "red", generator["waiting"])]
    worker = [
        _line("busiest worker, % of a core", "orange", generator["worker_cpu"]),
        _line("event loop lag, ms", "purple", generator["lag_ms"]),
    ]
    return [
        _chart("users", "Users", users + _with_values(waiting), decimals=0),
        *(_resource_chart(chart, sampled) for chart in SAMPLED_CHARTS),
        _chart(
            "generator",
            "Load generator",
            worker if _with_values(worker) else [],
            note="CPU of its busiest worker, and event loop lag",
            empty="The load generator reported no figures of its own.",
        ),
    ]


def _resource_chart(chart: LineChart, sampled: Mapping[str, Mapping[str, Values]]) -> dict[str, Any]:
    lines = []
    for line in chart.lines:
        values = sampled.get(line.source, {}).get(line.value, ())
        lines.append(_line(line.name, line.tone, [None if value is None else value / line.scale for value in values]))
    return _chart(
        chart.id, chart.title, _with_values(lines), chart.note, chart.suffix, chart.empty, decimals=chart.decimals
    )


def _chart(
    chart_id: str,
    title: str,
    lines: list[dict[str, Any]],
    note: str = "",
    suffix: str = "",
    empty: str = "",
    *,
    decimals: int = 1,
) -> dict[str, Any]:
    texts = {"id": chart_id, "title": title, "note": note, "suffix": suffix, "empty": empty}
    return {**texts, "decimals": decimals, "lines": lines}


def _line(name: str, tone: Tone, values: Values, *, filled: bool = False) -> dict[str, Any]:
    return {"name": name, "tone": tone, "values": values, "filled": filled}


def _with_values(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if any(line["values"])]


def _lines(charts: Iterable[LineChart]) -> Iterable[Line]:
    return (line for chart in charts for line in chart.lines)
