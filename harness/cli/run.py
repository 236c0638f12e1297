"""``harness run``: run a scenario against a target, judge it, write the report."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import api, cli, control
from harness.api.options import RunOptions, several
from harness.cli import locust_settings, options
from harness.errors import HarnessError
from harness.messages import message

if TYPE_CHECKING:
    from harness.control.observer import RunObserver

_DEFAULT_FILE = "locustfile.py"
"""What Locust runs if no file is named."""
HOST, PID, ALLOWED = "HARNESS_HOST", "HARNESS_PID", "HARNESS_ALLOW_HOST"
"""The target for command lines that name none: set once for a container or a CI job."""


class _Command(click.Command):
    """Says what to use instead of Locust's options, and where those of the Locust file belong."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as unknown:
            instead = locust_settings.INSTEAD.get(unknown.option_name)
            problem = f"No such option '{unknown.option_name}'." if instead else unknown.format_message()
            hint = instead or message("own-options-after-dashes")
            raise click.UsageError(f"{problem}\n  {hint}", unknown.ctx) from None


@click.command(cls=_Command)
@click.argument("scenario", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENTS]")
@click.option("-f", "--locustfile", metavar="FILE", help="SCENARIO, as Locust takes it.")
@click.option("--headless", is_flag=True, help="Accepted because Locust has it: there is no web UI.")
@options.declared_by(RunOptions)
@options.inconclusive
@options.as_json
def command(
    scenario: str | None,
    arguments: tuple[str, ...],
    locustfile: str | None,
    inconclusive: str | None,
    as_json: bool,
    headless: bool,  # noqa: ARG001  (there is no web UI to leave out)
    **given: Any,
) -> int:
    """Run SCENARIO (any Locust file) and report whether its gates held.

    SCENARIO may also be a folder of Locust files, or several files separated by commas. Arguments after -- are the
    Locust file's own (events.init_command_line_parser); those without dashes choose user classes.

    \b
    Exit code: 0 all gates held, 1 a gate failed, 2 wrong input, 3 inconclusive,
               4 the run is broken, 130 interrupted.

    \b
      harness run scenarios/flash_sale.py
      harness run scenarios/flash_sale.py --profile smoke
      harness run my_locustfile.py -u 50 -r 10 -t 1m -H http://127.0.0.1:8000
      harness run my_locustfile.py --host http://127.0.0.1:8000 --pid 1234
      harness run my_locustfile.py --target "python app.py --port {port}"
      harness run my_locustfile.py -- --my-option x Buyer
      harness run my_locustfile.py --host http://10.0.0.9 --allow-host 10.0.0.9 \\
                                   --bind 10.0.0.5 --expect-workers 3
    """
    control.interrupts.raise_on_signals()
    asked = options_of(scenario, arguments, locustfile, given)
    # First, as it imports the engine while this process imports the rest; here, as --help does not need it.
    from harness.engine.fork_server import ForkServer

    try:
        with ForkServer() as fork_server, make_observer() as observer:
            for ignored in locust_settings.ignored(given):
                observer.notify(ignored)
            finished = api.run.run_scenario(replace(asked, watcher=observer), fork_server)
            control.interrupts.raise_on_signals(ignored=1)
    except api.result.RunInterrupted as interrupted:
        finished = interrupted.run
    return cli.outcome.show_outcome(finished.folder, finished.summary, as_json=as_json, inconclusive=inconclusive)


def options_of(
    scenario: str | None, arguments: tuple[str, ...], locustfile: str | None, given: Mapping[str, Any]
) -> RunOptions:
    """What was typed, and the target that the environment names. Raises ``click.UsageError`` without a scenario."""
    if locustfile is not None:
        scenario, arguments = locustfile, (*filter(None, [scenario]), *arguments)
    if scenario is None and Path(_DEFAULT_FILE).is_file():
        scenario = _DEFAULT_FILE
    if scenario is None:
        raise click.UsageError("Missing argument 'SCENARIO'.", click.get_current_context())
    return with_target_from(os.environ, RunOptions(scenario=scenario, arguments=arguments, **given))


def with_target_from(environment: Mapping[str, str], options: RunOptions) -> RunOptions:
    """``options`` with the target of HARNESS_HOST, HARNESS_PID and HARNESS_ALLOW_HOST (names separated by spaces).

    They count only if ``options`` name no target. Raises :class:`HarnessError` if HARNESS_PID is not a process number.
    """
    host, pid = environment.get(HOST), environment.get(PID)
    if not host or options.host is not None or options.target is not None:
        return options
    if pid and not (pid.isascii() and pid.isdigit() and len(pid) < 20 and int(pid)):
        raise HarnessError("pid-not-a-number", where=PID, pid=pid)
    return replace(
        options,
        host=host,
        pid=options.pid or (int(pid) if pid else None),
        allow_host=(*several(options.allow_host), *environment.get(ALLOWED, "").split()),
    )


@contextmanager
def make_observer() -> Iterator[RunObserver]:
    """The observer that suits standard error, where it writes. The terminal is restored at the end."""
    if is_live_terminal():
        from harness.cli.live import LiveView
        from harness.cli.terminal import Terminal

        with LiveView(Terminal()) as view:
            yield view
    else:
        from harness.api.plain_output import PlainOutput

        yield PlainOutput()


def is_live_terminal() -> bool:
    """Whether standard error is a terminal that can be redrawn and that a person looks at."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        return False
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return False
    return "utf" in (sys.stderr.encoding or "").lower()
