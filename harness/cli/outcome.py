"""What a run came to, as a person reads it at its end: the verdict, why, the figures, and where to see more.

Goes to standard error; with ``--json``, ``summary.json`` goes to standard output besides.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.cli.github import as_text_only, in_github_job, tell_github
from harness.cli.outcome_tables import (
    MARKS,
    STYLES,
    benchmarks_table,
    gates_table,
    phases_table,
    plain_list,
    said,
)
from harness.cli.std_streams import LOG_WIDTH
from harness.plan.config_source import shown_path
from harness.record.run_folder import RunFolder
from harness.record.summary import GateResult, PhaseSummary, Summary
from harness.report.formatting import counted, duration, no_commands, number, percent, points

_MOST = 5
_LONGEST_REASON = 600


def show_outcome(folder: RunFolder, summary: Summary, *, as_json: bool) -> None:
    """Tell people (standard error) how the run went, and with ``as_json`` programs (standard output), too."""
    terminal = Console(stderr=True)
    width = terminal.width if terminal.is_terminal else LOG_WIDTH
    # Drawn apart, as rich would exit with code 1, a failed gate, where nobody reads what it writes.
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=terminal.is_terminal, highlight=False, width=width)
    console.print(_verdict(summary))
    for part in (
        _gates(summary, width),
        [benchmarks_table(summary.benchmarks, width)] if summary.benchmarks else [],
        [phases_table(summary.phases, width)] if summary.phases else [],
        _stress(summary),
        _failures(summary),
        _suspects(summary),
        _warnings(summary),
        _files(folder, summary),
    ):
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


def _print(console: Console, part: Sequence[Text | Table | Padding]) -> None:
    if part:
        console.print()
    for line in part:
        # A path must stay in one piece to be copied; all else is wrapped at the terminal's edge.
        whole = isinstance(line, Text) and line.no_wrap is True
        console.print(line, soft_wrap=whole)


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 2), expand=False)


def _title(text: str) -> Text:
    return Text(text, style="bold")


def _verdict(summary: Summary) -> Text:
    text = Text.assemble(
        ("verdict: ", "bold"),
        (summary.verdict, STYLES[summary.verdict] + " reverse"),
    )
    text.append(f"  {said(summary.scenario)} · {said(summary.profile)} · ")
    text.append(f"{duration(round(summary.duration_s))} · {_amount(summary)}")
    # A gate's own reason stands with the gate.
    for reason in summary.reasons:
        if not any(gate.reason and gate.reason in reason for gate in summary.gates):
            text.append(f"\n  {said(reason, _LONGEST_REASON)}")
    return text


def _amount(summary: Summary) -> str:
    """How much was measured."""
    if summary.kind == "bench":
        rounds = sum(benchmark.rounds for benchmark in summary.benchmarks)
        return f"{counted(len(summary.benchmarks), 'benchmark')} of {counted(rounds, 'round')}"
    totals = summary.totals
    share = totals.failures / totals.requests if totals.requests else None
    failed = f", {number(totals.failures)} failed ({percent(share)})" if totals.failures else ""
    return f"{counted(totals.requests, 'request')}{failed}"


def _gates(summary: Summary, width: int) -> list[Text | Table | Padding]:
    if not summary.gates:
        return []
    reasons: dict[str, list[GateResult]] = {}
    for gate in summary.gates:
        if gate.status != "pass":
            reasons.setdefault(gate.reason, []).append(gate)
    lines = [
        Text.assemble(
            (f"{MARKS[gates[0].status]} ", STYLES[gates[0].status]),
            f"{_named(gates)}: {said(reason, _LONGEST_REASON)}",
        )
        for reason, gates in reasons.items()
        if reason
    ]
    return [gates_table(summary.gates, width), *map(_indented, lines)]


def _named(gates: list[GateResult]) -> str:
    """Gates that share a reason: named where there is one, else the first and how many more."""
    first = said(gates[0].asked) + (f" in {said(gates[0].phase)}" if gates[0].phase else "")
    return first if len(gates) == 1 else f"{first} and {len(gates) - 1} more"


def _stress(summary: Summary) -> list[Text | Table | Padding]:
    return [Text(line) for phase in summary.phases if (line := _held(phase))]


def _held(phase: PhaseSummary) -> str | None:
    """What a stress phase found; None where there is nothing to say."""
    unit = "users" if phase.model == "closed" else "arrivals/s"
    broke = next((step for step in phase.steps if step.held is False), None)
    name = said(phase.name)
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
    rows = [(f"{number(kind.count)}×", said(f"{kind.method} {kind.name}"), said(kind.failure)) for kind in most]
    left = len(summary.failures) - len(most)
    more = [_indented(Text(f"and {left} more kinds, in the report"))] if left else []
    return [_title("Failures"), plain_list(rows, True, False, False), *more]


def _suspects(summary: Summary) -> list[Text | Table | Padding]:
    if not summary.suspects:
        return []
    rows = []
    for suspect in summary.suspects[:_MOST]:
        place = f"{suspect.file}:{suspect.line}" if suspect.line else suspect.file
        shares = f"{percent(suspect.share_baseline)} → {percent(suspect.share_run)}"
        rows.append((points(suspect.change), said(suspect.function), Text(said(place), style="dim"), shares))
    title = _title("Suspects: their share of the target's CPU grew against the baseline")
    return [title, plain_list(rows, True, False, False, True)]


def _warnings(summary: Summary) -> list[Text | Table | Padding]:
    lines = [
        Text.assemble(("! ", "yellow"), said(warning, _LONGEST_REASON)) for warning in dict.fromkeys(summary.warnings)
    ]
    return [_title("Warnings"), *map(_indented, lines)] if lines else []


def _files(folder: RunFolder, summary: Summary) -> list[Text | Table | Padding]:
    """Where to see more: the report always, the logs where the run itself went wrong."""
    paths = [("report", folder.report)]
    if summary.verdict == "broken":
        paths += [(name, path) for name, path in (("log", folder.log), ("target", folder.target_log)) if path.exists()]
    return [Text.assemble((f"{name:<7} ", "bold"), shown_path(path), no_wrap=True) for name, path in paths]
