"""What benchmarks print: tables on standard error, one JSON object on standard output."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from harness.errors import HarnessError


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest value of one figure in several rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])

    def text(self, digits: int = 0) -> str:
        """Such as ``19,200 (18,900–19,400)``."""
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f}–{self.high:,.{digits}f})"


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, cores, kernel and Python."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose first column has names and the others figures."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def show_result(result: dict[str, Any]) -> None:
    """Print the machine, and ``result`` with it as a JSON line. Values may be :class:`Spread`."""
    described = machine()
    _console().print(", ".join(f"{name} {value}" for name, value in described.items()), highlight=False)
    print(json.dumps({**result, "machine": described}, default=asdict), flush=True)


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], result: dict[str, Any]) -> None:
    """:func:`show_table` and :func:`show_result`, for a benchmark of one table."""
    show_table(title, columns, rows)
    show_result(result)


def _console() -> Console:
    return Console(stderr=True, width=None if sys.stderr.isatty() else 140)


def run_command(main: click.Command) -> None:
    """Run a benchmark as a command; an error of the harness is one line."""
    try:
        main()
    except HarnessError as error:
        sys.exit(f"error: {error}")
