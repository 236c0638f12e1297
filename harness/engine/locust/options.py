"""Parses what a user gave after ``--``: the options that the locustfile adds itself.

They (``events.init_command_line_parser``) come from the command line, the environment and Locust's configuration files,
as with Locust. Locust's own options do not: the plan sets load, target and tags.
"""

from __future__ import annotations

import contextlib
import io
from argparse import Action, Namespace
from collections.abc import Iterable, Mapping, Sequence

from locust import LoadTestShape, argument_parser

from harness.engine.scenario.child_result import one_line
from harness.messages import Message, Option, message

COMMON = ("num_users", "spawn_rate", "run_time")
"""Locust's options that a ``LoadTestShape`` with ``use_common_options`` reads."""


def _before_dashes(option: str, value: str | None = None) -> Message:
    return message("option-before-dashes", option=Option(option, value))


_INSTEAD = {
    "locustfile": message("scenario-first"),
    **{name: _before_dashes(name) for name in ("host", "spawn_rate", "run_time", "tags", "exclude_tags")},
    "num_users": _before_dashes("users"),
    "stop_timeout": _before_dashes("set", "stop_timeout=10s"),
    **dict.fromkeys(("processes", "expect_workers"), _before_dashes("workers")),
    **dict.fromkeys(("csv_prefix", "html_file", "json", "json_file"), message("results-in-run-folder")),
}
_LEAVE_OUT = message("leave-out")


class ArgumentsError(Exception):
    """An argument after ``--`` is wrong. ``remedy`` says what would be right."""

    def __init__(self, problem: Message, remedy: Message) -> None:
        super().__init__(str(problem))
        self.problem = problem.map_texts(one_line)
        self.remedy = remedy.map_texts(one_line)


def parse_arguments(arguments: Sequence[str], shape: LoadTestShape | None) -> Namespace:
    """All options: the locustfile's own as given, Locust's at their defaults.

    ``user_classes`` holds the given names; a shape with ``use_common_options`` also accepts :data:`COMMON`. Raises
    :class:`ArgumentsError`. The locustfile must have been imported.
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
        error = " ".join(printed.getvalue().partition("error: ")[2].split())
        if not error:
            raise ArgumentsError(message("help-requested"), _known(own)) from None
        raise ArgumentsError(message("argument-rejected", error=error), _known(own)) from None
    configured = _configured(parser)
    allowed = {"user_classes", *(COMMON if shape is not None and shape.use_common_options else ())}
    for dest, default in defaults.items():
        given = getattr(options, dest, None)
        if dest in configured or given in (None, False, []):
            setattr(options, dest, default)
        elif dest not in allowed:
            option = next(action.option_strings[-1] for action in parser._actions if action.dest == dest)
            problem = message("locust-option", option=option)
            raise ArgumentsError(problem, _INSTEAD.get(dest, _LEAVE_OUT))
    return options


def portable(options: Mapping[str, object]) -> dict[str, object]:
    """The options that reach another process unchanged.

    Locust would fail to send others (a path, a set, a tuple, an object of the scenario), or change them. Each worker
    makes these itself from the same arguments.
    """
    return {name: value for name, value in options.items() if _is_portable(value)}


def _is_portable(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_portable, value))
    return value is None or type(value) in (bool, int, float, str)


def _locusts_own() -> dict[str, object]:
    """Locust's own options and their defaults, independent of the environment."""
    parser = argument_parser.get_empty_argument_parser(default_config_files=[])
    argument_parser.setup_parser_arguments(parser)
    return {**vars(parser.parse_args([], env_vars={})), "user_classes": [], "help": None, "version": None}


def _configured(parser: argument_parser.LocustArgumentParser) -> set[str]:
    """Options that a configuration file has set, not the command line."""
    return {
        action.dest
        for source, settings in parser.get_source_to_settings_dict().items()
        if source.startswith("config_file")
        for action, _ in settings.values()
        if action is not None
    }


def _known(own: Iterable[Action]) -> Message:
    known = [f"{'/'.join(action.option_strings)} ({action.help or action.dest})" for action in own]
    if not known:
        return message("locustfile-without-options")
    return message("locustfile-options", known=known)
