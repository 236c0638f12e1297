"""Charts of the target's surroundings: those that sources declare, and one per other series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.analysis.series import Counter, Gauge, PhaseSeries, Quotient, Series, run_series
from harness.plan.metrics_tables import kind_of, ratio_of
from harness.record.plain_text import plain
from harness.record.resources import Line, LineChart
from harness.recording.run import RunRecording
from harness.report.time_series import Floats, TimeAxis, rounded

_NOTES = {Gauge: "mean of each point", Counter: "per second", Quotient: "mean of each point"}


def series_charts(run: RunRecording, axis: TimeAxis) -> list[dict[str, Any]]:
    """Each as ``assets/chartkinds.js`` reads it."""
    found = run_series(run)
    kinds = {source.name: kind_of(source) for source in run.plan.sampling.metrics}
    charts: list[dict[str, Any]] = []
    for source in dict.fromkeys(source for source, _ in found.names()):
        kind = kinds.get(source)
        declared = kind.charts if kind is not None else ()
        drawn = {line.value for chart in declared for line in chart.lines}
        if kind is not None:  # what only makes a ratio is seen there
            drawn |= {part for ratio in kind.ratios.values() for side in ratio_of(ratio) for part in side}
        alone = (_alone(source, name, found) for each, name in found.names() if each == source and name not in drawn)
        for chart in (*declared, *alone):
            lines = [*_lines(chart, source, found, axis)]
            if not lines and kind is not None and kind.series is not None and chart not in declared:
                continue  # it was not requested
            identity = {"id": f"series-{len(charts)}", "title": plain(f"{chart.title} ({source})")}
            charts.append(asdict(chart) | identity | {"lines": lines})
    return charts


def _alone(source: str, name: str, found: PhaseSeries) -> LineChart:
    series = found.find(f"{source}.{name}")
    note = _NOTES.get(type(series), "")
    return LineChart("", name, (Line(source, name, name, "blue"),), "It was 0 all the time.", note, decimals=3)


def _lines(chart: LineChart, source: str, found: PhaseSeries, axis: TimeAxis) -> Iterator[dict[str, Any]]:
    for line in chart.lines:
        series = found.find(f"{source}.{line.value}")
        values = [] if series is None else _by_point(series, axis, line.scale)
        if any(values):
            yield {"name": plain(line.name), "tone": line.tone, "filled": line.filled, "values": values}


def _by_point(series: Series, axis: TimeAxis, scale: float) -> list[float | None]:
    """A counter's rate, a gauge's mean, a quotient of what was added up, in each point of the axis."""
    match series:
        case Gauge():
            above, below = series.values, np.ones(len(series.values))
        case Counter():
            above, below = series.gained, series.lengths_s
        case Quotient():
            above, below = series.above, series.below
    # What was gained lies before the reading that shows it.
    points = np.floor((series.at_s - (0.0 if isinstance(series, Gauge) else 0.5)) / axis.step_s).astype(np.int64)
    there = (points >= 0) & (points < axis.points)
    sums = [np.bincount(points[there], weights=side[there], minlength=axis.points) for side in (above, below)]
    values: Floats = np.full(axis.points, np.nan)
    np.divide(sums[0], sums[1] * scale, out=values, where=sums[1] > 0)
    return rounded(values)
