"""``harness report``: draw a run folder's report again."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("run")
@options.out
def command(run: str, out: Path) -> None:
    """Draw the report of RUN (a run folder, a run-id or "latest") again, also of one whose run was killed."""
    from harness import Run
    from harness.plan.config_source import shown_path

    drawn = Run.load(run, out=out)
    drawn.draw()
    click.echo(f"report: {shown_path(drawn.report)}", err=True)
