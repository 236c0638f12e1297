"""The command line: one file per command, imported only when used, so that ``--help`` is fast.

Every error a user can cause ends here, as one message on standard error and an exit code.
"""

from __future__ import annotations

import errno
import gc
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from harness import quick_start
from harness.cli.std_streams import complain, open_closed
from harness.errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from harness.cli import outcome as outcome

__getattr__ = quick_start.lazy_modules(__name__)

_MACHINE_ERRORS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM),
)
"""A full, read-only or failing disk, a missing permission, too many open files or processes, too little memory:
problems of the machine, not of the harness."""

_NOT_MAPPED = "failed to map segment"
"""What the dynamic linker says of a library for which there is too little memory (``ulimit -v``)."""

_PATH_ERRORS = (errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.ENOTDIR)
"""An impossible path, which the user can correct."""

_COMMANDS = {
    "run": "Run a scenario against a target, judge it, write the report.",
    "duet": "Put the same load on two builds in turns, and compare them.",
    "bench": "Run a pytest-benchmark suite, judge it, write the report.",
    "contract": "Verify Pact files against a running provider.",
    "gate": "Judge a run again, by its own gates or others.",
    "report": "Write the report of a run again.",
    "runs": "List the runs in the store.",
    "history": "Show how a scenario's figures changed over its runs.",
    "compare": "Compare two builds, each measured by one or more runs.",
    "baseline": "Manage the runs that later runs are compared with.",
    "prune": "Remove old runs, except those of a baseline.",
    "calibrate": "Measure how much the figures of a scenario vary.",
    "worker": "Run load workers for a run on another machine.",
    "doctor": "Check this machine's setup and explain how to fix problems.",
}
"""Each command with its short help; ``harness/cli/NAME.py`` defines it as ``command``."""

_YOUNG_OBJECTS = 20_000
"""How many new objects make CPython collect garbage. A command imports and reads thousands that live as long as it
does: with the usual 700, a run of one second collects 156 times, which takes 2 % of its own CPU time."""


class _BrokenOutputError(Exception):
    """The reader of the output is gone (``harness run --json | head``)."""


@contextmanager
def _own_exit_code() -> Iterator[None]:
    """For output that nobody reads, click would exit with code 1, which here means that a gate failed."""
    try:
        yield
    except BrokenPipeError as error:
        raise _BrokenOutputError from error


class _LazyGroup(click.Group):
    """Lists commands from the table above; imports a command's file only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (as above)
        if cmd_name not in _COMMANDS:
            return None
        try:
            Path.cwd()
        except FileNotFoundError as error:
            raise HarnessError("folder-deleted") from error
        command = quick_start.load(f"harness.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as unknown:
            if args[0].endswith(".py"):
                raise HarnessError("command-missing", where=args[0], arguments=shlex.join(args)) from None
            # click has no names to suggest, as no command is imported yet
            raise click.NoSuchCommand(unknown.command_name, possibilities=_COMMANDS, ctx=ctx) from None

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _own_exit_code():  # --help and --version print here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _own_exit_code():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (as above)
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="harness")
def cli() -> None:
    """Load and performance testing: true numbers, a verdict you can trust, and the cause.

    Start with: harness run scenarios/flash_sale.py
    """


def main() -> None:
    """The console script ``harness``."""
    open_closed()
    quick_start.end_at_once()
    gc.set_threshold(_YOUNG_OBJECTS)
    try:
        _reject_bytes()
        sys.exit(cli.main(prog_name="harness", standalone_mode=False) or ExitCode.PASS)
    except HarnessError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except _BrokenOutputError:
        sys.stderr.close()
        sys.exit(ExitCode.BROKEN)
    except OSError as error:
        path = f": {file}" if (file := error.filename2 or error.filename) else ""
        if error.errno in _PATH_ERRORS:
            complain(f"{error.strerror}{path}")
            sys.exit(ExitCode.USAGE)
        if error.errno not in _MACHINE_ERRORS:
            _report_bug()
        _complain_of_machine(f"{os.strerror(error.errno)}{path}")
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and _NOT_MAPPED not in str(error):
            _report_bug()
        _complain_of_machine(os.strerror(errno.ENOMEM))
    except click.Abort:
        from harness.control.interrupts import ignore_signals  # only here, so that --help stays fast

        ignore_signals()
        complain("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except Exception:  # noqa: BLE001  (shown with its traceback)
        _report_bug()


def _reject_bytes() -> None:
    """Arguments and settings end up in files and messages, which are UTF-8."""
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise HarnessError("argument-not-utf8", position=error.start + 1, argument=argument) from error
    for name, value in os.environ.items():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            if name.startswith("HARNESS_"):
                raise HarnessError("text-not-utf8", where=name, text=value) from error


def _complain_of_machine(problem: str) -> NoReturn:
    complain(f"{problem}\n  Recorded results are kept.")
    sys.exit(ExitCode.BROKEN)


def _report_bug() -> NoReturn:
    """Show the traceback, and exit as a broken run does: code 1 would mean that a gate failed."""
    traceback.print_exc()
    sys.exit(ExitCode.BROKEN)
