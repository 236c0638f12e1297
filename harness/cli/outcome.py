"""What a run came to, as a person reads it at its end: the verdict, why, the figures, and where to see more.

Goes to standard error; with ``--json``, ``summary.json`` goes to standard output besides.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.cli.github import as_text_only, in_github_job, tell_github
from harness.cli.lines import one_line
from harness.record.run_folder import RunFolder
from harness.record.summary import GateResult, PhaseSummary, Summary
from harness.report.words import (
    change,
    duration,
    in_unit,
    interval,
    ms,
    no_commands,
    number,
    percent,
    points,
    rate,
    seconds,
    size,
)

_LOG_WIDTH = 160
"""Columns where there is no terminal: in a log a line may be long."""
_NARROW = 90
"""Below so many columns the table of phases leaves out what matters less."""
_NARROWEST = 70
"""Below so many columns the table of gates leaves out the intervals, which the reasons tell."""
_WORDS = ("", "Gate", "Phase", "Goal", "Benchmark")
_MOST = 5
_LONGEST_NAME = 120
_LONGEST_REASON = 600

_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "broken": "bold magenta"}
_MARKS = {"pass": "✔", "fail": "✖", "inconclusive": "?"}


def show_outcome(folder: RunFolder, summary: Summary, *, as_json: bool) -> None:
    """Tell people (standard error) how the run went, and with ``as_json`` programs (standard output), too."""
    terminal = Console(stderr=True)
    width = terminal.width if terminal.is_terminal else _LOG_WIDTH
    # Drawn apart, as rich would exit with code 1, a failed gate, where nobody reads what it writes.
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=terminal.is_terminal, highlight=False, width=width)
    console.print(_verdict(summary))
    tables = (_gates(summary, width), _benchmarks(summary, width), _phases(summary, width), _stress(summary))
    for part in (*tables, _failures(summary)):
        _print(console, part)
    for part in (_suspects(summary), _warnings(summary), _files(folder, summary)):
        _print(console, part)
    # Where nobody reads it, or its disk is full, the exit code and the run folder still answer.
    with contextlib.suppress(OSError):
        if in_github_job():
            print(as_text_only(drawn.getvalue()), end="", file=sys.stderr, flush=True)
            tell_github(folder, summary)
        else:
            print(no_commands(drawn.getvalue()), end="", file=sys.stderr, flush=True)
    if as_json:
        click.echo(summary.to_json(), nl=False)


def _print(console: Console, part: list[Text | Table | Padding]) -> None:
    if part:
        console.print()
    for line in part:
        # A path must stay in one piece to be copied; all else is wrapped at the terminal's edge.
        whole = isinstance(line, Text) and line.no_wrap is True
        console.print(line, soft_wrap=whole)


def _said(text: str, longest: int = _LONGEST_NAME) -> str:
    """Text from outside: one harmless line, cut where very long."""
    line = one_line(text)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 2), expand=False)


def _title(text: str) -> Text:
    return Text(text, style="bold")


def _table(*, heads: bool) -> Table:
    """A table without lines, as wide as its contents."""
    return Table(box=None, show_header=heads, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))


def _columns(shown: dict[str, bool]) -> Table:
    """A table with heads: those of ``shown`` that are true. Words may wrap, figures may not."""
    table = _table(heads=True)
    for head in (head for head, show in shown.items() if show):
        if head in _WORDS:
            table.add_column(head, overflow="fold")
        else:
            table.add_column(head, justify="right", no_wrap=True)
    return table


def _list(*no_wrap: bool) -> Table:
    """A table without heads; the columns that are ``no_wrap`` stay whole."""
    table = _table(heads=False)
    for whole in no_wrap:
        table.add_column(no_wrap=whole, overflow="fold")
    return table


def _verdict(summary: Summary) -> Text:
    text = Text.assemble(
        ("verdict: ", "bold"),
        (summary.verdict, _STYLES[summary.verdict] + " reverse"),
    )
    text.append(f"  {_said(summary.scenario)} · {_said(summary.profile)} · ")
    text.append(f"{duration(round(summary.duration_s))} · {_amount(summary)}")
    # A gate's own reason stands with the gate.
    for reason in summary.reasons:
        if not any(gate.reason and gate.reason in reason for gate in summary.gates):
            text.append(f"\n  {_said(reason, _LONGEST_REASON)}")
    return text


def _amount(summary: Summary) -> str:
    """How much was measured."""
    if summary.kind == "bench":
        rounds = sum(benchmark.rounds for benchmark in summary.benchmarks)
        return f"{_counted(len(summary.benchmarks), 'benchmark')} of {_counted(rounds, 'round')}"
    totals = summary.totals
    share = totals.failures / totals.requests if totals.requests else None
    failed = f", {number(totals.failures)} failed ({percent(share)})" if totals.failures else ""
    return f"{_counted(totals.requests, 'request')}{failed}"


def _counted(count: int, what: str) -> str:
    return f"{number(count)} {what}" if count == 1 else f"{number(count)} {what}s"


def _gates(summary: Summary, width: int) -> list[Text | Table | Padding]:
    if not summary.gates:
        return []
    wide, intervals = width >= _NARROW, width >= _NARROWEST
    phases = any(gate.phase for gate in summary.gates)
    shown = (True, True, phases, True, intervals, True)
    table = _columns(
        {"": True, "Gate": True, "Phase": phases, "Observed": True, "95 % interval": intervals, "Limit": True}
    )
    for gate in summary.gates:
        cells = [
            Text(f"{_MARKS[gate.status]} {gate.status}" if wide else _MARKS[gate.status], style=_STYLES[gate.status]),
            Text(_required(gate)),
            Text(_said(gate.phase or "")),
            Text(in_unit(gate.observed, gate.unit)),
            Text(interval(gate.interval, gate.unit)),
            Text(in_unit(gate.limit, gate.unit)),
        ]
        table.add_row(*(cell for cell, show in zip(cells, shown, strict=True) if show))
    reasons: dict[str, list[GateResult]] = {}
    for gate in summary.gates:
        if gate.status != "pass":
            reasons.setdefault(gate.reason, []).append(gate)
    lines = [
        Text.assemble(
            (f"{_MARKS[gates[0].status]} ", _STYLES[gates[0].status]),
            f"{_named(gates)}: {_said(reason, _LONGEST_REASON)}",
        )
        for reason, gates in reasons.items()
        if reason
    ]
    return [table, *map(_indented, lines)]


def _required(gate: GateResult) -> str:
    return _said(gate.require + (f" on {gate.endpoint}" if gate.endpoint else ""))


def _named(gates: list[GateResult]) -> str:
    """Gates that share a reason: named where there is one, else the first and how many more."""
    first = _required(gates[0]) + (f" in {_said(gates[0].phase)}" if gates[0].phase else "")
    return first if len(gates) == 1 else f"{first} and {len(gates) - 1} more"


def _phases(summary: Summary, width: int) -> list[Text | Table | Padding]:
    if not summary.phases:
        return []
    wide = width >= _NARROW
    shown = {
        "Phase": True,
        "Goal": wide,
        "Requests": True,
        "Rate": True,
        "Errors": True,
        "P50": wide,
        "P95": True,
        "P95 service": wide and any(phase.model == "open" for phase in summary.phases),
        "P99": True,
        "Max": wide,
    }
    table = _columns(shown)
    for phase in summary.phases:
        cells = [
            Text(_said(phase.name)),
            Text(_said(phase.goal)),
            Text(number(phase.requests)),
            Text(rate(phase.throughput_rps)),
            Text(percent(phase.error_rate), style="red" if phase.failures else ""),
            Text(ms(phase.response_ms.p50)),
            Text(ms(phase.response_ms.p95)),
            Text(ms(phase.service_ms.p95)),
            Text(ms(phase.response_ms.p99)),
            Text(ms(phase.response_ms.max)),
        ]
        table.add_row(*(cell for cell, show in zip(cells, shown.values(), strict=True) if show))
    return [table]


def _benchmarks(summary: Summary, width: int) -> list[Text | Table | Padding]:
    if not summary.benchmarks:
        return []
    wide = width >= _NARROW
    shown = {
        "Benchmark": True,
        "Rounds": wide,
        "Min": wide,
        "Median": True,
        "Mean": True,
        "P95": wide,
        "Max": wide,
        "Calls": wide,
        "Peak": any(benchmark.peak_bytes is not None for benchmark in summary.benchmarks),
        "Allocations": any(benchmark.allocations is not None for benchmark in summary.benchmarks),
        "Baseline": any(benchmark.change is not None for benchmark in summary.benchmarks),
    }
    table = _columns(shown)
    for benchmark in summary.benchmarks:
        cells = [
            Text(_said(benchmark.name)),
            Text(number(benchmark.rounds)),
            Text(seconds(benchmark.min_s)),
            Text(seconds(benchmark.median_s)),
            Text(seconds(benchmark.mean_s)),
            Text(seconds(benchmark.p95_s)),
            Text(seconds(benchmark.max_s)),
            Text(rate(benchmark.ops)),
            Text(size(benchmark.peak_bytes)),
            Text(number(benchmark.allocations)),
            Text(change(benchmark.change)),
        ]
        table.add_row(*(cell for cell, show in zip(cells, shown.values(), strict=True) if show))
    return [table]


def _stress(summary: Summary) -> list[Text | Table | Padding]:
    return [Text(line) for phase in summary.phases if (line := _held(phase))]


def _held(phase: PhaseSummary) -> str | None:
    """What a stress phase found; None where there is nothing to say."""
    unit = "users" if phase.model == "closed" else "arrivals/s"
    broke = next((step for step in phase.steps if step.held is False), None)
    name = _said(phase.name)
    if phase.held is None:
        return f"{name}: not even {number(round(broke.level))} {unit} held" if broke else None
    if broke is not None:
        return f"{name}: held {number(round(phase.held))} {unit}, not {number(round(broke.level))}"
    return f"{name}: held {number(round(phase.held))} {unit}, and no limit was found" + (
        f" ({phase.cut_short})" if phase.cut_short else ""
    )


def _failures(summary: Summary) -> list[Text | Table | Padding]:
    most = sorted(summary.failures, key=lambda kind: -kind.count)[:_MOST]
    if not most:
        return []
    table = _list(True, False, False)
    for kind in most:
        table.add_row(f"{number(kind.count)}×", Text(_said(f"{kind.method} {kind.name}")), Text(_said(kind.failure)))
    left = len(summary.failures) - len(most)
    more = [_indented(Text(f"and {left} more kinds, in the report"))] if left else []
    return [_title("Failures"), table, *more]


def _suspects(summary: Summary) -> list[Text | Table | Padding]:
    if not summary.suspects:
        return []
    table = _list(True, False, False, True)
    for suspect in summary.suspects[:_MOST]:
        place = f"{suspect.file}:{suspect.line}" if suspect.line else suspect.file
        shares = f"{percent(suspect.share_baseline)} → {percent(suspect.share_run)}"
        table.add_row(points(suspect.change), Text(_said(suspect.function)), Text(_said(place), style="dim"), shares)
    return [_title("Suspects: their share of the target's CPU grew against the baseline"), table]


def _warnings(summary: Summary) -> list[Text | Table | Padding]:
    lines = [
        Text.assemble(("! ", "yellow"), _said(warning, _LONGEST_REASON)) for warning in dict.fromkeys(summary.warnings)
    ]
    return [_title("Warnings"), *map(_indented, lines)] if lines else []


def _files(folder: RunFolder, summary: Summary) -> list[Text | Table | Padding]:
    """Where to see more: the report always, the logs where the run itself went wrong."""
    paths = [("report", folder.report)]
    if summary.verdict == "broken":
        paths += [(name, path) for name, path in (("log", folder.log), ("target", folder.target_log)) if path.exists()]
    return [Text.assemble((f"{name:<7} ", "bold"), _shown(path), no_wrap=True) for name, path in paths]


def _shown(path: Path) -> str:
    """As short as it can be copied from here."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)
