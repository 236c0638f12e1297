"""Where faults leave the Python API: in the words of a call, without secrets, harmless to a terminal.

Who finds a fault does not know who will read it, and names the option (``--allow-host 10.0.0.9``); here, and only here,
it becomes the argument (``allow_host="10.0.0.9"``): in a hint, which is our own sentence, and in a ``where`` that is an
option. A message may repeat what the target said, another ``where`` the user's own command: these stay. The command
line is written on the same functions, and keeps its own words (:func:`in_the_words_of_the_command_line`).
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from harness.errors import HarnessError, ManyProblemsError

_P = ParamSpec("_P")
_R = TypeVar("_R")

_OPTIONS = (
    *("allow-host", "bind", "endpoint", "exclude-tags", "expect-workers", "gate", "gates", "host", "memory"),
    *("metrics-port", "out", "phase", "pid", "profile", "ready", "require", "secret-file", "seed", "set", "tags"),
    *("target", "workers"),
)
"""Those that are arguments of :func:`harness.run`, :func:`harness.bench` and :meth:`harness.Run.judge`."""
_NAMES = "|".join(_OPTIONS)
_QUOTED = r"'[^']*'|\"[^\"]*\""
_OPTION = re.compile(
    # What follows these is a name, whatever it looks like; of others a word may be the sentence's.
    rf"(?<![\w-])(?:--(?P<named>allow-host|exclude-tags|profile|tags)[ ](?P<name>{_QUOTED}|[\w\[*][^\s,;]*)"
    rf"|--(?P<option>{_NAMES})(?:[ ](?P<value>{_QUOTED}|[A-Z][A-Z=]*\b|[^\s,;]*[\d/.=:][^\s,;]*))?(?![\w-]))"
)
_SEVERAL = re.compile(rf"--(?:{_NAMES})(?:(?:, | and )--(?:{_NAMES}))*|(?:(?:^| )--(?:exclude-)?tags \S+)+")
_ONE = re.compile(rf"--(?P<option>{_NAMES}) (?P<value>.+)", re.DOTALL)
"""A ``where`` that is an option; whatever its value holds is the user's."""
_COMMAND = re.compile(r"(`[^`]*`)")
_BEHIND = " before the --"
"""What a call has no need of: its scenario's own arguments are an argument."""

_in_its_own_words = False


@contextmanager
def in_the_words_of_the_command_line() -> Iterator[None]:
    """Until the end of this block it is the command line that calls."""
    global _in_its_own_words
    former, _in_its_own_words = _in_its_own_words, True
    try:
        yield
    finally:
        _in_its_own_words = former


def at_the_edge(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """``function``, whose faults leave the API. A keyword that it does not know is told with the one that was meant."""
    known = inspect.signature(function).parameters

    @functools.wraps(function)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        __tracebackhide__ = True
        for word in kwargs:
            if word not in known:
                near = difflib.get_close_matches(word, known, n=1)
                meant = f": did you mean {near[0]}=?" if near else f"; there are: {', '.join(known)}"
                raise TypeError(f"{function.__qualname__}() got an unexpected keyword argument {word!r}{meant}")
        try:
            return function(*args, **kwargs)
        except HarnessError as fault:
            if _in_its_own_words:
                raise
            raise told(fault) from None  # a traceback would show the fault as it was, secrets included

    return called


def told(fault: HarnessError) -> HarnessError:
    """The same fault as a program may show it."""
    if isinstance(fault, ManyProblemsError):
        return ManyProblemsError([told(each) for each in fault.problems])
    return HarnessError(
        _safe(fault.message),
        where=None if fault.where is None else _safe(_place_of_a_call(fault.where)),
        hint=None if fault.hint is None else _safe(_of_a_call(fault.hint)),
        exit_code=fault.exit_code,
    )


def _safe(text: str) -> str:
    from harness.record.redaction import redacted
    from harness.report.formatting import plain

    return redacted(plain(text))


def _place_of_a_call(where: str) -> str:
    if _SEVERAL.fullmatch(where):
        return _of_a_call(where)
    found = _ONE.fullmatch(where)
    return _argument(found["option"], found["value"]) if found else where


def _of_a_call(text: str) -> str:
    """Options named in a sentence; commands to type, between backticks, stay as they are."""
    parts = _COMMAND.split(text.replace(_BEHIND, ""))
    return "".join(part if part.startswith("`") else _OPTION.sub(_found, part) for part in parts)


def _found(option: re.Match[str]) -> str:
    value = option["name"] or option["value"] or ""
    bare = value.rstrip(".)")
    return _argument(option["named"] or option["option"], bare) + value[len(bare) :]


def _argument(option: str, value: str) -> str:
    name = option.replace("-", "_")
    if not value:
        return f"{name}="
    if value[0] in "'\"" and value[0] == value[-1]:
        value = value[1:-1]
    quote = "'" if '"' in value else '"'
    return f"{name}={value}" if value.isdecimal() or value == "N" else f"{name}={quote}{value}{quote}"
