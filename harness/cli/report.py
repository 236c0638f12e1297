"""``harness report``: draw the report of a run again."""

from __future__ import annotations

from pathlib import Path

import click

from harness import control
from harness.cli import options
from harness.cli.std_streams import say


@click.command()
@click.argument("run")
@options.out
def command(run: str, out: Path) -> None:
    """Write the report of RUN (a run folder, a run ID or "latest") again, even if the run was killed."""
    from harness.plan.config_source import shown_path

    folder = control.run_lookup.find_or_fetch(run, out)
    control.finalize.draw_again(folder)
    say(f"report: {shown_path(folder.report)}")
