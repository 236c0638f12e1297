"""``harness doctor``: check this machine's setup."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from harness.cli import options
from harness.cli.std_streams import print_json
from harness.cli.terminal import Terminal
from harness.errors import ExitCode
from harness.targets.checks import check_machine

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command()
@options.out
@options.as_json
def command(out: Path, as_json: bool) -> None:
    """Check this machine's setup and explain how to fix problems.

    Each check tests what a run needs. With a `warn`, some figures are less accurate or missing; with a `fail`, no run
    is possible. The exit code is 4 if a check reports `fail`, otherwise 0.
    """
    results = check_machine(out)
    if as_json:
        print_json([result.as_json() for result in results])
    else:
        table = Table.grid(padding=(0, 2))
        for result in results:
            # Text, not str: square brackets are not markup here.
            text = Text(str(result.text))
            if hint := result.text.hint():
                text.append(f"\n→ {hint}", style="bold")
            table.add_row(Text(result.level, style=_STYLES[result.level]), result.name, text)
        Terminal().print(table)
    if any(result.level == "fail" for result in results):
        sys.exit(ExitCode.BROKEN)
