"""Options that several commands share, and the declared options of runs and benches as click's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.api.options import RunOptions

_MOST = 1_000_000_000
"""More than anything that is counted here, and within the range of a database's integers."""
_Command = TypeVar("_Command", bound=Callable[..., Any])


class WholeNumber(click.IntRange):
    """click's range of integers, with a readable name in messages."""

    name = "whole number"

    def __init__(self, min: int) -> None:
        super().__init__(min=min, max=_MOST)


def declared_by(options: type) -> Callable[[_Command], _Command]:
    """Give a command the options that :class:`RunOptions` or :class:`BenchOptions` declares."""

    def add(command: _Command) -> _Command:
        for declared in reversed(fields(options)):
            if declared.metadata:
                command = _click_option(declared)(command)
        return command

    return add


def _click_option(declared: Field[Any]) -> Callable[[_Command], _Command]:
    details = dict(declared.metadata)
    names = [declared.name, f"--{declared.name.replace('_', '-')}", details.pop("short", None)]
    return click.option(
        *filter(None, names),
        default=None if declared.default == () else declared.default,
        show_default=bool(declared.default),
        is_flag=declared.default is False,
        **details,
    )


_RUN = {declared.name: declared for declared in fields(RunOptions)}
out = _click_option(_RUN["out"])
secret_file = _click_option(_RUN["secret_file"])
inconclusive = click.option(
    "--inconclusive",
    type=click.Choice(["pass", "warn", "fail"]),
    help="The exit code of an inconclusive verdict: 0 (pass), 0 with a warning (warn) or 1 (fail). Default: 3.",
)


def stored_scenario(*, required: bool = True) -> Callable[[_Command], _Command]:
    """The name of a scenario in the store, also given as its file: ``load`` for ``load.py``."""

    def named(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
        return Path(given).stem if given and given.endswith(".py") else given

    return click.argument("scenario", required=required, callback=named)


def report_files(what: str) -> Callable[[_Command], _Command]:
    """``--report FILE``, which may be repeated."""
    return click.option(
        "--report",
        "files",
        multiple=True,
        type=Path,
        metavar="FILE",
        help=f"Write {what} to FILE: .html, .md or .json.",
    )


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, to standard output.")
