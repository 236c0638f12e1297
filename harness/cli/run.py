"""``harness run``: run a scenario against a target, judge it, write the report."""

from __future__ import annotations

import os
from typing import Any

import click

from harness import api, cli, control
from harness.api.options import RunOptions
from harness.cli import options
from harness.cli.target_options import with_target_from


class _Command(click.Command):
    """Says where an option that is not the harness's own belongs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as unknown:
            hint = "Options of the Locust file itself go after --: harness run FILE -- --its-option x"
            raise click.UsageError(f"{unknown.format_message()}\n  {hint}", unknown.ctx) from None


@click.command(cls=_Command)
@click.argument("scenario")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENTS]")
@options.declared_by(RunOptions)
@options.as_json
def command(as_json: bool, **given: Any) -> int:
    """Run SCENARIO (any Locust file) and report whether its gates held.

    SCENARIO may also be a folder of Locust files, or several files separated by commas. Arguments after -- are the
    Locust file's own (events.init_command_line_parser); those without dashes choose user classes.

    \b
    Exit code: 0 all gates held, 1 a gate failed, 2 wrong input, 3 inconclusive,
               4 the run is broken, 130 interrupted.

    \b
      harness run scenarios/flash_sale.py
      harness run scenarios/flash_sale.py --profile smoke
      harness run my_locustfile.py --host http://127.0.0.1:8000 --pid 1234
      harness run my_locustfile.py --target "python app.py --port {port}"
      harness run my_locustfile.py -- --my-option x Buyer
      harness run my_locustfile.py --host http://10.0.0.9 --allow-host 10.0.0.9 \\
                                   --bind 10.0.0.5 --expect-workers 3
    """
    control.interrupts.raise_on_signals()
    try:
        with cli.progress.make_observer() as observer:
            finished = api.run.run_scenario(with_target_from(os.environ, RunOptions(**given, watcher=observer)))
    except api.result.RunInterrupted as interrupted:
        finished = interrupted.run
    cli.outcome.show_outcome(finished.folder, finished.summary, as_json=as_json)
    return finished.summary.exit_code
