"""The command line. One file a command; each is imported only when it is used, so that ``--help`` answers at once.

Every error a user can cause ends here: one message on standard error, and its exit code.
"""

from __future__ import annotations

import errno
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import click

from harness import quick_start
from harness.errors import ExitCode, HarnessError

_MACHINE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE)
"""A full or read-only disk, missing permission, too many open files: the machine's, and not the harness's fault."""

_PATH_FAULTS = (errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.ENOTDIR)
"""A path that cannot be: whoever gave it, or changed the folder, can mend it."""

_COMMANDS = {
    "run": "Run a scenario against a target, judge it, write the report.",
    "bench": "Run a suite of pytest-benchmark, judge it, write the report.",
    "gate": "Judge a run folder again, under its own gates or others.",
    "report": "Draw a run folder's report again.",
    "baseline": "Keep runs that later runs are compared with.",
    "prune": "Remove old runs, except those of a baseline.",
    "worker": "Run load workers for a run on another machine.",
    "doctor": "Check this machine's setup and explain how to fix problems.",
}
"""Each command and its short help; ``harness/cli/NAME.py`` holds it as ``command``."""


class _NobodyReadsError(Exception):
    """Whoever read our output has had enough of it (``harness run --json | head``)."""


class _LazyGroup(click.Group):
    """Lists commands from the table above; imports a command's file only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (as above)
        if cmd_name not in _COMMANDS:
            return None
        try:
            Path.cwd()
        except FileNotFoundError as fault:
            raise HarnessError(
                "the current folder has been deleted", hint="Change to one that is there: cd ~"
            ) from fault
        command = quick_start.load(f"harness.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as unknown:  # click knows of no others: none is imported yet
            raise click.NoSuchCommand(unknown.command_name, possibilities=_COMMANDS, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as fault:
            # click would end with code 1, which here means that a gate failed
            raise _NobodyReadsError from fault

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (as above)
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
    from harness.cli.std_streams import complain, open_closed

    open_closed()
    quick_start.end_at_once()
    try:
        _refuse_bytes(sys.argv[1:])
        sys.exit(cli.main(prog_name="harness", standalone_mode=False) or ExitCode.PASS)
    except HarnessError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except _NobodyReadsError:
        sys.stderr.close()
        sys.exit(ExitCode.BROKEN)
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        if error.errno in _PATH_FAULTS:
            complain(f"{error.strerror}{place}")
            sys.exit(ExitCode.USAGE)
        if error.errno not in _MACHINE_FAULTS:
            _own_up()
        complain(f"{error.strerror}{place}\n  What was recorded so far is kept.")
        sys.exit(ExitCode.BROKEN)
    except click.Abort:
        complain("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except Exception:  # noqa: BLE001  (nothing is swallowed: it is shown whole)
        _own_up()


def _refuse_bytes(arguments: list[str]) -> None:
    """Arguments end up in files and messages, all of them UTF-8."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as fault:
            raise HarnessError(
                f"byte {fault.start} is not UTF-8",
                where=f"the argument {argument!r}",
                hint="Give names and values as text in UTF-8.",
            ) from fault


def _own_up() -> NoReturn:
    """A fault of ours: shown whole, and with the exit code of a run that says nothing, not of a gate that failed."""
    traceback.print_exc()
    sys.exit(ExitCode.BROKEN)
