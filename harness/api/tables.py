"""A run's tables as pandas DataFrames; columns state their units: ``_ms``, ``_s``, ``_rps``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from harness.analysis.figures import latency_of
from harness.errors import HarnessError
from harness.messages import alternatives
from harness.plan.model.run import RunPlan
from harness.record.benchmark_figures import BenchmarkFigures
from harness.record.changes import Suspect
from harness.record.endpoint_second import EndpointSecond
from harness.record.figures import Figures, Latency
from harness.record.journal import read_journal
from harness.record.run_folder import RunFolder
from harness.record.summary import CheckFigures, FailureKind, Summary
from harness.recording import open_recording
from harness.recording.streams import STREAMS
from harness.recording.streams.requests import endpoint_seconds

_COUNTS = ("requests", "failures", "error_rate", "throughput_rps", "bytes_received")
_TIMES = tuple(Latency.model_fields)
_PHASE = (
    "index",
    "name",
    "kind",
    "model",
    "measured",
    "start_s",
    "end_s",
    "goal",
    "users",
    "held",
    "iterations",
    "late",
)


def figures(summary: Summary) -> pd.DataFrame:
    rows = [{name: getattr(phase, name) for name in _PHASE} | _figures(phase) for phase in summary.phases]
    return pd.DataFrame(rows, columns=[*_PHASE, *_figures(Figures())])


def endpoints(summary: Summary) -> pd.DataFrame:
    rows = [
        {"phase": phase.name, "method": endpoint.method, "name": endpoint.name, **_figures(endpoint)}
        for phase in summary.phases
        for endpoint in phase.endpoints
    ]
    return pd.DataFrame(rows, columns=["phase", "method", "name", *_figures(Figures())])


def benchmarks(summary: Summary) -> pd.DataFrame:
    return _frame(summary.benchmarks, list(BenchmarkFigures.model_fields))


def steps(summary: Summary) -> pd.DataFrame:
    names = ("level", "held", "start_s", "end_s")
    rows = [
        {"phase": phase.name, **{name: getattr(step, name) for name in names}, **_figures(step)}
        for phase in summary.phases
        for step in phase.steps
    ]
    return pd.DataFrame(rows, columns=["phase", *names, *_figures(Figures())])


def failures(summary: Summary) -> pd.DataFrame:
    return _frame(summary.failures, [name for name in FailureKind.model_fields if name != "samples"])


def checks(summary: Summary) -> pd.DataFrame:
    return _frame(summary.checks, [name for name in CheckFigures.model_fields if name != "samples"])


def suspects(summary: Summary) -> pd.DataFrame:
    return _frame(summary.suspects, list(Suspect.model_fields))


def timeline(folder: RunFolder, plan: RunPlan) -> pd.DataFrame:
    journal = read_journal(folder.journal)
    table = endpoint_seconds(journal)
    rows = [
        {
            "second": second,
            "phase": plan.phases[part.phase].name,
            "method": journal.endpoints[part.endpoint].method,
            "name": journal.endpoints[part.endpoint].name,
            "requests": part.requests,
            "failures": part.failures,
            "bytes_received": part.bytes_received,
            **_times(latency_of(part.response)),
            **_times(latency_of(part.service), "service_"),
        }
        for second, part in zip(table.second.tolist(), EndpointSecond.all_of(table), strict=True)
    ]
    counts = ("requests", "failures", "bytes_received")
    times = [*_times(Latency()), *_times(Latency(), "service_")]
    return pd.DataFrame(rows, columns=["second", "phase", "method", "name", *counts, *times])


def stream(folder: RunFolder, name: str) -> pd.DataFrame:
    tables = {stream.name: stream.table for stream in STREAMS if stream.table and stream.recorded_in(folder)}
    if name not in tables:
        raise HarnessError(
            "stream-not-recorded", where=str(folder.path), stream=name, choices=alternatives(name, tables)
        )
    frame: pd.DataFrame = tables[name].of(open_recording(folder)).to_pandas()
    return frame


def _frame(parts: Iterable[Any], names: list[str]) -> pd.DataFrame:
    return pd.DataFrame([{name: getattr(part, name) for name in names} for part in parts], columns=names)


def _figures(figures: Figures) -> dict[str, Any]:
    counts: Mapping[str, Any] = {name: getattr(figures, name) for name in _COUNTS}
    return {
        **counts,
        **_times(figures.response_ms),
        **_times(figures.ok_response_ms, "ok_"),
        **_times(figures.service_ms, "service_"),
    }


def _times(latency: Latency, prefix: str = "") -> dict[str, float | None]:
    return {f"{prefix}{name}_ms": getattr(latency, name) for name in _TIMES}
