"""What can be wrong, as a code and parameters; the sentence a person reads is made from them.

:class:`HarnessError` is the one error a user can cause. It is raised anywhere and caught once by each front end, which
prints one message without a traceback. :class:`Message` is the same for what is no error: warnings, notes and reasons.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pydantic import ValidationError


class ExitCode(IntEnum):
    """Exit codes of ``harness``. Public: CI jobs rely on them."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    BROKEN = 4
    INTERRUPTED = 130


class Option(NamedTuple):
    """An option of a run by its neutral name (``allow_host``); each front end spells it its own way."""

    name: str
    value: object = None

    def __str__(self) -> str:
        return command_line_option(self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def command_line_option(option: Option) -> str:
    """``--allow-host 10.0.0.9``."""
    name = f"--{option.name.replace('_', '-')}"
    return name if option.value is None else f"{name} {shlex.quote(str(option.value))}"


def keyword_argument(option: Option) -> str:
    """``allow_host="10.0.0.9"``."""
    if option.value is None:
        return f"{option.name}="
    if isinstance(option.value, int):
        return f"{option.name}={option.value}"
    value = str(option.value)
    quote = "'" if '"' in value else '"'
    return f"{option.name}={quote}{value}{quote}"


OptionStyle = Callable[[Option], str]


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence for a person and what it was made from.

    ``code`` names what it says (``phase-unknown-key``) and never changes once published; ``template`` is a
    :meth:`str.format` template over ``params`` with the conversions of :class:`_Formatter`. Among the parameters, an
    :class:`Option` is spelled by the front end, a list of texts is joined with commas, and a message is filled in too.
    """

    code: str
    template: str
    params: Mapping[str, object] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.code, self.text()))

    def __str__(self) -> str:
        return self.text()

    def text(self, style: OptionStyle = command_line_option) -> str:
        """The sentence, with options spelled in ``style``."""
        return _filled(self.template, self.params, style)

    def map_texts(self, change: Callable[[str], str]) -> Message:
        """This message with every text among its parameters changed (redacted, say)."""
        return Message(self.code, self.template, {name: _map_texts(each, change) for name, each in self.params.items()})

    def to_data(self) -> dict[str, Any]:
        """As maps, lists, numbers and texts, for JSON and msgpack; see :meth:`from_data`."""
        return {"code": self.code, "template": self.template, "params": _params_to_data(self.params)}

    @classmethod
    def from_data(cls, data: Any) -> Message:
        """The message that another process sent. Raises ``ValueError`` if ``data`` is none."""
        try:
            restored = cls(str(data["code"]), str(data["template"]), _params_from_data(data["params"]))
            restored.text()
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError("not a message") from error
        return restored


def message(code: str, template: str, /, **params: object) -> Message:
    """A :class:`Message`, its parameters given by keyword."""
    return Message(code, template, params)


def alternatives(name: str, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> Message:
    """What there is instead of ``name``, for a hint: the nearest first, then all.

    ``synonyms`` maps words that people bring from elsewhere (``rps``) to the known one (``throughput``).
    """
    choices = list(known)
    close = (synonyms or {}).get(name.lower())
    if close not in choices:
        by_lower = {choice.lower(): choice for choice in choices}
        close = next((by_lower[near] for near in difflib.get_close_matches(name.lower(), by_lower, n=1)), None)
    if close:
        return message("did-you-mean", 'Did you mean "{close}"? Known: {known}.', close=close, known=choices)
    if choices:
        return message("known", "Known: {known}.", known=choices)
    return message("none-known", "There are none.")


class HarnessError(Exception):
    """A problem that the user can fix.

    ``code`` identifies it (``profile-not-found``), ``template`` and ``hint`` are :meth:`str.format` templates over
    ``params``: what is wrong, and what would be right. ``where`` names the file, line or key
    (``profiles/load.toml:12: phase[0].rate``), or is the :class:`Option` at fault. ``exit_code`` is 2 for wrong input
    and 4 for a run that could not be made.
    """

    def __init__(
        self,
        code: str,
        template: str,
        /,
        *,
        where: str | Option | None = None,
        hint: str | None = None,
        exit_code: ExitCode = ExitCode.USAGE,
        **params: object,
    ) -> None:
        self.code = code
        self.template = template
        self.where_at = where
        self.hint_template = hint
        self.exit_code = exit_code
        self.params: Mapping[str, object] = params
        self.style: OptionStyle = command_line_option
        super().__init__(code)

    @property
    def message(self) -> str:
        """What is wrong, in one sentence."""
        return _filled(self.template, self.params, self.style)

    @property
    def where(self) -> str | None:
        """The file, line, key or option at fault."""
        return self.style(self.where_at) if isinstance(self.where_at, Option) else self.where_at

    @property
    def hint(self) -> str | None:
        """What would be right."""
        return None if self.hint_template is None else _filled(self.hint_template, self.params, self.style)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  {self.hint}" if self.hint else text

    def reason(self) -> Message:
        """What is wrong, to be part of another message."""
        return Message(self.code, self.template, self.params)

    def to_data(self) -> dict[str, Any]:
        """As maps, lists, numbers and texts, for another process; see :meth:`from_data`."""
        return {
            "code": self.code,
            "template": self.template,
            "where": _to_data(self.where_at),
            "hint": self.hint_template,
            "exit_code": int(self.exit_code),
            "params": _params_to_data(self.params),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> HarnessError:
        """The error that a child process reported."""
        where = _from_data(data["where"])
        return HarnessError(
            data["code"],
            data["template"],
            where=where if isinstance(where, Option | str) else None,
            hint=data["hint"],
            exit_code=ExitCode(data["exit_code"]),
            **_params_from_data(data["params"]),
        )


class ManyProblemsError(HarnessError):
    """Several problems of one input, reported together. The exit code is that of the first."""

    def __init__(self, problems: list[HarnessError]) -> None:
        super().__init__("many-problems", "{count} problems", exit_code=problems[0].exit_code, count=len(problems))
        self.problems = problems

    @property
    def message(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def problems_of(error: HarnessError) -> list[HarnessError]:
    """The single problems that an error reports."""
    return list(error.problems) if isinstance(error, ManyProblemsError) else [error]


class _Formatter(Formatter):
    """:meth:`str.format` with two more conversions.

    ``{value!q}`` quotes a value as a user would write it; ``{choices!o}`` joins texts with commas and "or".
    """

    def __init__(self, style: OptionStyle) -> None:
        self._style = style

    def convert_field(self, value: Any, conversion: Any) -> Any:
        match conversion:
            case "q":
                return quoted(value)
            case "o":
                return " or ".join(filter(None, (", ".join(value[:-1]), *value[-1:])))
            case _:
                return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> Any:
        return format(_shown(value, self._style), format_spec)


def _filled(template: str, params: Mapping[str, object], style: OptionStyle) -> str:
    return _Formatter(style).vformat(template, (), params)


def _shown(value: object, style: OptionStyle) -> object:
    if isinstance(value, Option):
        return style(value)
    if isinstance(value, Message):
        return value.text(style)
    if isinstance(value, list | tuple) and all(isinstance(each, str | Option | Message) for each in value):
        return ", ".join(str(_shown(each, style)) for each in value)
    return value


def quoted(value: object) -> str:
    """``value`` as a message shows it: text in double quotes, true and false as in TOML, long values cut."""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # more digits than Python writes, deeper than it goes
        text = "this"
    return text if len(text) <= 80 else f"{text[:77]}…"


def _map_texts(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, Message):
        return value.map_texts(change)
    if isinstance(value, Option):
        return Option(value.name, _map_texts(value.value, change))
    if isinstance(value, list | tuple):
        return [_map_texts(each, change) for each in value]
    return change(value) if isinstance(value, str) else value


def _params_to_data(params: Mapping[str, object]) -> dict[str, object]:
    return {name: _to_data(value) for name, value in params.items()}


def _params_from_data(data: Mapping[str, object]) -> dict[str, Any]:
    return {name: _from_data(value) for name, value in data.items()}


def _to_data(value: object) -> object:
    if isinstance(value, Message):
        return value.to_data()
    if isinstance(value, Option):
        return {"option": value.name, "value": _to_data(value.value)}
    if isinstance(value, list | tuple):
        return [_to_data(each) for each in value]
    return value if value is None or type(value) in (bool, int, float, str) else str(value)


def _from_data(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_from_data(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "option" in value:
        return Option(value["option"], value["value"])
    return Message.from_data(value)


def first_problem(of: ValidationError) -> str:
    """The first thing that is wrong with data that a program wrote: its key and what pydantic says of it."""
    first = of.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    return f"{key}: {first['msg']}" if key else first["msg"]


def how_to_install(extra: str) -> str:
    """The hint where an optional part is missing: from where the harness itself came, which is no package index."""
    return f"Run `uv sync --extra {extra}` (in your own project: `uv add --dev harness --extra {extra}`)."
