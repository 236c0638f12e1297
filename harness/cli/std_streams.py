"""Standard streams that are closed, full or not read: they must not change the result of a command."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from datetime import datetime

import click

LOG_WIDTH = 160
"""Columns if there is no terminal: lines of a log may be long, and paths and run IDs must not be broken."""


def open_closed() -> None:
    """Open ``/dev/null`` in place of each closed standard stream (``2>&-``).

    Otherwise the next file that is opened would get its number, and receive what is written to standard error.
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
    """Write a last message to standard error, without secrets, control characters and commands to CI servers.

    Nothing happens if standard error takes nothing: the exit code follows anyway.
    """
    # Imported only for an error, so that --help stays fast.
    from harness.record.plain_text import plain
    from harness.record.redaction import redacted

    with contextlib.suppress(OSError):
        say(f"harness: {redacted(plain(message))}")


def say(text: str) -> None:
    """Write ``text`` to standard error, without control characters and commands to CI servers."""
    from harness.record.plain_text import no_commands, plain

    click.echo(no_commands(plain(text)), err=True)


def print_json(value: object) -> None:
    """Write ``value`` to standard output as JSON that does not steer a terminal."""
    from harness.record.plain_text import steering_escaped

    click.echo(steering_escaped(json.dumps(value, indent=2, ensure_ascii=False, default=datetime.isoformat)))
