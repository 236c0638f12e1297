"""A scenario's figures over its runs: the steps that they took, each figure's course, and the runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from harness.metrics.formatting import speed_change, title
from harness.record.history import History, HistoryRun, Series, Step
from harness.record.measurement import ALL
from harness.report.blocks import WIDE, Block, Cell, Column, Items, Paragraph, table
from harness.report.contents import HistorySection
from harness.report.formatting import change, counted, date_time, in_unit, points

_BARS = "▁▂▃▄▅▆▇█"
_VISIBLE = 0.03
"""A machine that is so much (3 %) faster or slower may be why a response time took a step."""
_WIDEST = 40
"""Runs in a sparkline: the latest."""


class Steps(HistorySection):
    id = "verdict"
    title = "Steps"

    def text(self, summary: History) -> Sequence[Block]:
        runs = counted(len(summary.runs), "run")
        head = Paragraph(f"{summary.scenario} · {summary.profile} · environment {summary.fingerprint}: {runs}")
        steps = [(series, step) for series in summary.series for step in series.steps]
        steps.sort(key=lambda found: found[1].after.started_at)
        items = [Cell(_sentence(series, step), "bad" if step.meaning == "worse" else None) for series, step in steps]
        others = [Paragraph(_beside_others(phase, summary)) for phase in summary.beside_others]
        return [head, Items(items) if items else Paragraph("No figure took a step."), *others]


class Courses(HistorySection):
    """The figures of all endpoints together, and of each endpoint those that took a step."""

    id = "figures"
    title = "Figures"
    template = "history.html"

    def text(self, summary: History) -> Sequence[Block]:
        columns: list[Column[Series]] = [
            Column("Phase", lambda series: series.phase, text=True),
            Column("Endpoint", lambda series: series.endpoint or "all endpoints", text=True),
            Column("Figure", _named, text=True),
            Column("Over time", lambda series: sparkline(series.values[-_WIDEST:]), text=True),
            Column("Latest", lambda series: in_unit(series.values[-1], series.unit)),
            Column("Steps", lambda series: str(len(series.steps) or "")),
        ]
        return [table(columns, _shown(summary))]

    def values(self, report: History) -> dict[str, Any]:
        phases: dict[str, list[tuple[Series, Drawing]]] = {}
        known = {run.run_id: run for run in report.runs}
        for series in _shown(report):
            phases.setdefault(series.phase, []).append((series, _drawn(series, known)))
        return {"phases": phases, "named": _named, "amount": _amount, "beside": _beside}


class Runs(HistorySection):
    id = "runs"
    title = "Runs"

    def values(self, report: History) -> dict[str, Any]:
        accepted = {one.run_id: one.why for one in report.accepted}
        columns: list[Column[HistoryRun]] = [
            Column("Run", lambda run: run.run_id, text=True),
            Column("Started", lambda run: date_time(run.started_at), text=True, from_width=WIDE),
            Column("Verdict", lambda run: run.verdict, text=True),
            Column("Commit", lambda run: run.commit or "–", text=True),
            Column("Accepted", lambda run: accepted.get(run.run_id, ""), text=True, shown=bool(accepted)),
        ]
        return {"blocks": [table(columns, reversed(report.runs))]}


class Dot(NamedTuple):
    """One run's figure: where it is drawn, and what pointing at it shows."""

    x: float
    y: float
    tip: str


class Drawing(NamedTuple):
    """A series in a box of 600 by 120, the latest run at the right."""

    dots: list[Dot]
    intervals: str
    levels: str
    steps: list[tuple[float, Step]]
    top: float
    bottom: float


_WIDTH, _HEIGHT, _MARGIN = 600.0, 120.0, 8.0
_LEAST_SPAN = 0.02
"""Relative: a figure that hardly varies is drawn flat."""


def _drawn(series: Series, runs: dict[str, HistoryRun]) -> Drawing:
    values = series.values
    middle = (max(values) + min(values)) / 2
    span = max(max(values) - min(values), _LEAST_SPAN * abs(middle)) or 1.0
    scale = (_HEIGHT - 2 * _MARGIN) / span
    apart = (_WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)

    def x(number: float) -> float:
        return round(_MARGIN + number * apart, 1)

    def y(value: float) -> float:
        return round(min(max(_HEIGHT / 2 - (value - middle) * scale, 0), _HEIGHT), 1)

    begins = [series.run_ids.index(step.after.run_id) for step in series.steps]
    ends = [0, *begins, len(values)]
    levels = [(low, high, float(np.median(values[low:high]))) for low, high in pairwise(ends)]
    return Drawing(
        dots=[
            Dot(x(number), y(value), f"{in_unit(value, series.unit)}\n{run_id}\n{runs[run_id].commit or 'no commit'}")
            for number, (value, run_id) in enumerate(zip(values, series.run_ids, strict=True))
        ],
        intervals="".join(
            f"M{x(number)} {y(figure.low)}V{y(figure.high) if figure.high is not None else 0}"
            for number, figure in enumerate(series.figures)
        ),
        levels="".join(f"M{x(low - 0.4)} {y(level)}H{x(high - 0.6)}" for low, high, level in levels),
        steps=[(x(begin - 0.5), step) for begin, step in zip(begins, series.steps, strict=True)],
        top=max(values),
        bottom=min(values),
    )


def _shown(history: History) -> list[Series]:
    return [series for series in history.series if series.endpoint == ALL or series.steps]


def sparkline(values: Sequence[float]) -> str:
    """A bar for each value, from the lowest to the highest."""
    low, high = min(values), max(values)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in values)


def _sentence(series: Series, step: Step) -> str:
    """``P95 in steady: 20 ms → 24 ms (+20 %), worse, between RUN (commit) and RUN (commit)``."""
    between = " and ".join(f"{run.run_id} ({run.commit or 'no commit'})" for run in (step.before, step.after))
    where = f"{series.phase}, {series.endpoint}" if series.endpoint else series.phase
    more = _beside(series, step) + (f"; accepted: {step.accepted.why}" if step.accepted else "")
    return f"{_named(series)} in {where}: {_amount(series, step)}, {step.meaning}, between {between}{more}"


def _beside_others(phase: str, history: History) -> str:
    of = f"{history.beside_others[phase]:,} of {counted(len(history.runs), 'run')}"
    return (
        f"In {of}, other processes took the cores for most of phase {phase}: "
        "steps of response times and throughput there may come from them."
    )


def _beside(series: Series, step: Step) -> str:
    """``; the machine was 18 % faster after it``, where that may be why a response time took the step."""
    slower = step.machine_slower or 0.0
    explains = (
        series.unit == "ms" and abs(slower) >= _VISIBLE and (slower > 0) == (step.level_after > step.level_before)
    )
    return f"{speed_change(slower)} after it" if explains else ""


def _named(series: Series) -> str:
    return f"{title(series.metric)} at equal machine speed" if series.at_equal_speed else title(series.metric)


def _amount(series: Series, step: Step) -> str:
    levels = " → ".join(in_unit(level, series.unit) for level in (step.level_before, step.level_after))
    return f"{levels} ({(points if series.unit == '%' else change)(step.change)})"
