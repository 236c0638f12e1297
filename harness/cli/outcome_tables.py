"""The tables of a run's end: its gates, phases and benchmarks, each as wide as the terminal lets it be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.table import Table
from rich.text import Text

from harness.api.plain_output import one_line
from harness.record.summary import BenchmarkFigures, GateResult, PhaseSummary
from harness.report.formatting import change, in_unit, interval, ms, number, percent, rate, seconds, size

MARKS = {"pass": "✔", "fail": "✖", "inconclusive": "?"}
STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "broken": "bold magenta"}
_NARROW = 90
"""Below so many columns the table of phases leaves out what matters less."""
_NARROWEST = 70
"""Below so many columns the table of gates leaves out the intervals, which the reasons tell."""
_LONGEST_NAME = 120

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class _Column(Generic[_Row]):
    """One column of a table. Words may wrap, figures may not."""

    head: str
    cell: Callable[[_Row], str | Text]
    shown: bool = True
    words: bool = False


def said(text: str, longest: int = _LONGEST_NAME) -> str:
    """Text from outside: one harmless line, cut where very long."""
    line = one_line(text)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def plain_list(rows: Iterable[Sequence[str | Text]], *no_wrap: bool) -> Table:
    """A table without heads; the columns that are ``no_wrap`` stay whole."""
    table = _empty(heads=False)
    for whole in no_wrap:
        table.add_column(no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def gates_table(gates: Sequence[GateResult], width: int) -> Table:
    """What each gate requires, saw, and allows."""
    wide = width >= _NARROW
    columns: list[_Column[GateResult]] = [
        _Column("", lambda gate: _status(gate, wide), words=True),
        _Column("Gate", lambda gate: said(gate.asked), words=True),
        _Column("Phase", lambda gate: said(gate.phase or ""), any(gate.phase for gate in gates), words=True),
        _Column("Observed", lambda gate: in_unit(gate.observed, gate.unit)),
        _Column("95 % interval", lambda gate: interval(gate.interval, gate.unit), width >= _NARROWEST),
        _Column("Limit", lambda gate: in_unit(gate.limit, gate.unit)),
    ]
    return _drawn(columns, gates)


def phases_table(phases: Sequence[PhaseSummary], width: int) -> Table:
    """What each phase did."""
    wide = width >= _NARROW
    open_model = any(phase.model == "open" for phase in phases)
    columns: list[_Column[PhaseSummary]] = [
        _Column("Phase", lambda phase: said(phase.name), words=True),
        _Column("Goal", lambda phase: said(phase.goal), wide, words=True),
        _Column("Requests", lambda phase: number(phase.requests)),
        _Column("Rate", lambda phase: rate(phase.throughput_rps)),
        _Column("Errors", lambda phase: Text(percent(phase.error_rate), style="red" if phase.failures else "")),
        _Column("P50", lambda phase: ms(phase.response_ms.p50), wide),
        _Column("P95", lambda phase: ms(phase.response_ms.p95)),
        _Column("P95 service", lambda phase: ms(phase.service_ms.p95), wide and open_model),
        _Column("P99", lambda phase: ms(phase.response_ms.p99)),
        _Column("Max", lambda phase: ms(phase.response_ms.max), wide),
    ]
    return _drawn(columns, phases)


def benchmarks_table(benchmarks: Sequence[BenchmarkFigures], width: int) -> Table:
    """What each benchmark took; memory and the baseline's change where any of them knows it."""
    wide = width >= _NARROW
    columns: list[_Column[BenchmarkFigures]] = [
        _Column("Benchmark", lambda row: said(row.name), words=True),
        _Column("Rounds", lambda row: number(row.rounds), wide),
        _Column("Min", lambda row: seconds(row.min_s), wide),
        _Column("Median", lambda row: seconds(row.median_s)),
        _Column("Mean", lambda row: seconds(row.mean_s)),
        _Column("P95", lambda row: seconds(row.p95_s), wide),
        _Column("Max", lambda row: seconds(row.max_s), wide),
        _Column("Calls", lambda row: rate(row.ops), wide),
        _Column("Peak", lambda row: size(row.peak_bytes), any(row.peak_bytes is not None for row in benchmarks)),
        _Column(
            "Allocations",
            lambda row: number(row.allocations),
            any(row.allocations is not None for row in benchmarks),
        ),
        _Column("Baseline", lambda row: change(row.change), any(row.change is not None for row in benchmarks)),
    ]
    return _drawn(columns, benchmarks)


def _status(gate: GateResult, wide: bool) -> Text:
    mark = MARKS[gate.status]
    return Text(f"{mark} {gate.status}" if wide else mark, style=STYLES[gate.status])


def _drawn(columns: Sequence[_Column[_Row]], rows: Sequence[_Row]) -> Table:
    table = _empty(heads=True)
    shown = [column for column in columns if column.shown]
    for column in shown:
        if column.words:
            table.add_column(column.head, overflow="fold")
        else:
            table.add_column(column.head, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(_text(column.cell(row)) for column in shown))
    return table


def _empty(*, heads: bool) -> Table:
    """A table without lines, as wide as its contents."""
    return Table(box=None, show_header=heads, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))


def _text(cell: str | Text) -> Text:
    """Not markup: rich would take brackets in a name for its own."""
    return Text(cell) if isinstance(cell, str) else cell
