"""Standard streams that are closed, full or read by nobody: they must not change what a command answers."""

from __future__ import annotations

import contextlib
import os
import sys

import click

LOG_WIDTH = 160
"""Columns where there is no terminal: in a log a line may be long, and a path or a run-id must not be broken."""


def open_closed() -> None:
    """Put ``/dev/null`` where a standard stream is closed (``2>&-``).

    Otherwise the next file that is opened gets its number, and what some process writes to standard error goes there.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def complain(message: str) -> None:
    """Write a last message to standard error, without secrets; what a target or a file put into it cannot steer the
    terminal.

    Nothing where standard error takes nothing: the exit code that follows is the answer.
    """
    # Only when there is something to say: --help is to answer at once.
    from harness.record.redaction import redacted
    from harness.report.formatting import no_commands, plain

    with contextlib.suppress(OSError):
        click.echo(no_commands(f"harness: {redacted(plain(message))}"), err=True)
