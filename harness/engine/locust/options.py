"""Locust's options for a run: those the locustfile added itself, as the user gave them after ``--``, and what Locust's
own say of this run.

The locustfile's own (``events.init_command_line_parser``) come from the command line, the environment and Locust's
configuration files, as Locust takes them. Locust's own do not: load, target and tags are the plan's.
"""

from __future__ import annotations

import contextlib
import io
from argparse import Action, Namespace
from collections.abc import Iterable, Mapping, Sequence

from locust import LoadTestShape, argument_parser

COMMON = ("num_users", "spawn_rate", "run_time")
"""Locust's options that a ``LoadTestShape`` with ``use_common_options`` reads."""

_LOAD = "the load is set by phases: --set phase.steady.users=50, or a profile"
_RESULTS = "leave it out: the report, summary.json and timeline.parquet hold all figures"
_INSTEAD = {
    "locustfile": "it is SCENARIO, the first word after harness run",
    "host": "give --host before the --",
    "num_users": _LOAD,
    "spawn_rate": _LOAD,
    "run_time": _LOAD,
    "tags": "give --tags before the --",
    "exclude_tags": "give --exclude-tags before the --",
    "stop_timeout": "give --set stop_timeout=10s before the --",
    "processes": "give --workers before the --",
    "expect_workers": "give --workers before the --",
    "csv_prefix": _RESULTS,
    "html_file": _RESULTS,
    "json": _RESULTS,
    "json_file": _RESULTS,
}


class ArgumentsError(Exception):
    """What follows ``--`` is wrong. ``hint`` says what would be right."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def parse_arguments(arguments: Sequence[str], shape: LoadTestShape | None) -> Namespace:
    """All options of Locust: the locustfile's own as given, Locust's at their defaults.

    ``user_classes`` holds the names that were given; a shape with ``use_common_options`` may be given its numbers.
    Raises :class:`ArgumentsError`. The locustfile must have been imported.
    """
    parser = argument_parser.get_parser()
    defaults = _locusts_own()
    own: list[Action] = [action for action in parser._actions if action.dest not in defaults]
    for action in parser._actions:
        if action.dest in defaults:
            action.env_var = None
            action.default = None
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            options: Namespace = parser.parse_args(list(arguments))
    except SystemExit:
        said = printed.getvalue().partition("error: ")[2].strip() or "asks for help"
        raise ArgumentsError(" ".join(said.split()), _known(own)) from None
    configured = _configured(parser)
    allowed = {"user_classes", *(COMMON if shape is not None and shape.use_common_options else ())}
    for dest, default in defaults.items():
        given = getattr(options, dest, None)
        if dest in configured or given in (None, False, []):
            setattr(options, dest, default)
        elif dest not in allowed:
            option = next(action.option_strings[-1] for action in parser._actions if action.dest == dest)
            hint = _INSTEAD.get(dest, "leave it out")
            raise ArgumentsError(f"{option} is an option of Locust's own, not of the locustfile", hint)
    return options


def portable(options: Mapping[str, object]) -> dict[str, object]:
    """Those that reach another process as they are.

    Of others (a path, a set, a tuple, an object of the scenario's) each worker keeps what it has made of the same
    arguments itself: Locust would fail to send them, or change them.
    """
    return {name: value for name, value in options.items() if _is_portable(value)}


def _is_portable(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_portable, value))
    return value is None or type(value) in (bool, int, float, str)


def _locusts_own() -> dict[str, object]:
    """Locust's own options and their defaults, whatever the environment says."""
    parser = argument_parser.get_empty_argument_parser(default_config_files=[])
    argument_parser.setup_parser_arguments(parser)
    return {**vars(parser.parse_args([], env_vars={})), "user_classes": [], "help": None, "version": None}


def _configured(parser: argument_parser.LocustArgumentParser) -> set[str]:
    """Options that a configuration file has set, and not the command line."""
    return {
        action.dest
        for source, settings in parser.get_source_to_settings_dict().items()
        if source.startswith("config_file")
        for action, _ in settings.values()
        if action is not None
    }


def _known(own: Iterable[Action]) -> str:
    known = [f"{'/'.join(action.option_strings)} ({action.help or action.dest})" for action in own]
    return f"the locustfile's own: {', '.join(known)}" if known else "the locustfile adds none of its own"
