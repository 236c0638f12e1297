"""The command line. One file a command; each is imported only when it is used, so that ``--help`` answers at once.

Every error a user can cause ends here: one message on standard error, and its exit code.
"""

from __future__ import annotations

import errno
import importlib
import sys

import click

from harness.errors import ExitCode, HarnessError

_MACHINE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE)
"""A full or read-only disk, missing permission, too many open files: the machine's, and not the harness's fault."""

_COMMANDS = {
    "run": "Run a scenario against a target, judge it, write the report.",
    "gate": "Judge a run folder again, under its own gates or others.",
    "report": "Draw a run folder's report again.",
    "baseline": "Keep runs that later runs are compared with.",
    "doctor": "Check what this machine lacks for measuring, and say how to mend it.",
}
"""Each command and its short help; ``harness/cli/NAME.py`` holds it as ``command``."""


class _LazyGroup(click.Group):
    """Lists commands from the table above; imports a command's file only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"harness.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="harness")
def cli() -> None:
    """Load and performance testing: true numbers, a verdict to trust, the cause named.

    Start with: harness run scenarios/flash_sale.py
    """


def main() -> None:
    """The console script ``harness``."""
    try:
        sys.exit(cli.main(prog_name="harness", standalone_mode=False) or ExitCode.PASS)
    except HarnessError as error:
        click.echo(f"harness: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except BrokenPipeError:
        # Whoever read our output has had enough of it (``harness run --json | head``).
        sys.stderr.close()
        sys.exit(ExitCode.BROKEN)
    except OSError as error:
        if error.errno not in _MACHINE_FAULTS:
            raise
        place = f": {error.filename}" if error.filename else ""
        click.echo(f"harness: {error.strerror}{place}\n  What was recorded so far is kept.", err=True)
        sys.exit(ExitCode.BROKEN)
    except click.Abort:
        click.echo("harness: interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
