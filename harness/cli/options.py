"""Options that several commands share, and the declared options of runs and benches as click's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.api.options import CommandLineOption, RunOptions, command_line_options

_Command = TypeVar("_Command", bound=Callable[..., Any])


class WholeNumber(click.IntRange):
    """click's range of integers, under a name for people."""

    name = "whole number"


def declared_by(options: type) -> Callable[[_Command], _Command]:
    """Give a command the options that :class:`RunOptions` or :class:`BenchOptions` declares."""

    def add(command: _Command) -> _Command:
        for option in reversed([*command_line_options(options)]):
            command = _click_option(option)(command)
        return command

    return add


def _click_option(option: CommandLineOption) -> Callable[[_Command], _Command]:
    names = [option.name, f"--{option.name.replace('_', '-')}", *([option.short] if option.short else [])]
    types: dict[str, Any] = {
        "text": None,
        "number": click.INT if option.at_least is None else WholeNumber(min=option.at_least),
        "file": click.Path(path_type=Path),
        "folder": click.Path(path_type=Path, file_okay=False),
        "switch": None,
    }
    return click.option(
        *names,
        type=types[option.value],
        default=option.default if option.value == "switch" else option.default or None,
        show_default=bool(option.default),
        is_flag=option.value == "switch",
        multiple=option.several,
        metavar=option.metavar,
        envvar=option.variable,
        help=option.help,
    )


_RUN = {option.name: option for option in command_line_options(RunOptions)}
out = _click_option(_RUN["out"])
secret_file = _click_option(_RUN["secret_file"])
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, to standard output.")
