"""What charts draw behind each endpoint's lines: the baseline, in a duet build A."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.analysis.comparability import comparable
from harness.analysis.measurement import measure
from harness.plan.duet import A
from harness.recording.run import RunRecording
from harness.report.endpoints_over_time import endpoints_over_time
from harness.report.time_series import TimeAxis, rounded

_METRICS = {"completed": "throughput", "p50": "p50", "p95": "p95"}
"""The lines that are drawn, and the metrics that they are of."""


def behind(run: RunRecording, ids: Sequence[int], axis: TimeAxis) -> list[dict[str, Any]]:
    """By point: the lines of all endpoints together, then of each of ``ids``; those without any value are left out.

    Of a baseline, only the figures of whole phases are known: its lines are level over each phase.
    """
    return _build_a(run, ids, axis) if run.plan.is_duet else _baseline(run, ids, axis)


def _build_a(run: RunRecording, ids: Sequence[int], axis: TimeAxis) -> list[dict[str, Any]]:
    endpoints = run.journal.endpoints
    own = {str(endpoint): number for number, endpoint in endpoints.items() if endpoint.variant == A}
    others = [own.get(str(endpoints[number])) for number in ids]
    known = [number for number in others if number is not None]
    every, *found = endpoints_over_time(run.journal, known, axis, own.values())
    by_number = dict(zip(known, found, strict=True))
    drawn = [every, *({} if number is None else by_number[number] for number in others)]
    return [{name: figures[name] for name in _METRICS if name in figures} for figures in drawn]


def _baseline(run: RunRecording, ids: Sequence[int], axis: TimeAxis) -> list[dict[str, Any]]:
    names = ["", *(str(run.journal.endpoints[number]) for number in ids)]
    lines: list[dict[str, Any]] = [{} for _ in names]
    if run.baseline is None:
        return lines
    middle_s = (np.arange(axis.points) + 0.5) * axis.step_s
    for record in run.phases:
        phase = measure(run).phase(record.plan.name, record.variant)
        if phase is None:
            continue
        runs = comparable(run, phase)
        inside = (middle_s >= record.start_s) & (middle_s < record.end_s)
        for line, name in zip(lines, names, strict=True):
            for key, metric in _METRICS.items():
                found = [earlier.figure(phase.name, name, metric, phase.variant) for earlier in runs]
                values = [figure.value for figure in found if figure is not None]
                if values:
                    row = line.setdefault(key, np.full(axis.points, np.nan))
                    row[inside] = np.mean(values)
    return [{key: rounded(row) for key, row in line.items()} for line in lines]
