"""``harness doctor``: what this machine lacks for measuring, and how to mend it. The checks: harness.targets.checks."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import ExitCode
from harness.targets.checks import check_machine

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="The folder in which run folders are to be made.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the findings as JSON on standard output, and nothing else."
)
def command(out: Path, as_json: bool) -> None:
    """Check what this machine lacks for measuring, and say how to mend it.

    Each check really tries what a run needs. A `warn` makes figures less good or leaves some out; with a `fail` no
    run can be made. Exit code: 0 without a `fail`, else 4.
    """
    findings = check_machine(out)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        table = Table.grid(padding=(0, 2))
        for finding in findings:
            # Text, not str: square brackets in a finding are no markup
            text = Text(finding.text)
            if finding.mend:
                text.append(f"\n→ {finding.mend}", style="bold")
            table.add_row(Text(finding.level, style=_STYLES[finding.level]), finding.name, text)
        Console(stderr=True).print(table)
    if any(finding.level == "fail" for finding in findings):
        sys.exit(ExitCode.BROKEN)
