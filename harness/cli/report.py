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
    from harness.record.run_folder import find_run

    folder = find_run(run, out)

    # Only now: a run that is not there is told before scipy, pyarrow and jinja2 are loaded.
    from harness.control.judging import draw_again

    draw_again(folder)
    click.echo(f"report: {folder.report}", err=True)
