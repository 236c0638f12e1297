"""Sentences for people: a code and parameters, and the catalogue that has the words for each code.

The words stand in ``AREA.toml`` beside this file, one table a code: ``message``, and ``hint`` where there is something
to do. Both are :meth:`str.format` templates over the parameters with the conversions of :class:`_Formatter`.
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import shlex
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple

_MOST_LISTED = 30
_LONGEST_VALUE = 300
_LONGEST_TEXT = 5000
"""Characters of one parameter: enough for the last lines of a log."""


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
    return name if option.value is None else f"{name} {shlex.quote(_quotable(option))}"


def keyword_argument(option: Option) -> str:
    """``allow_host="10.0.0.9"``."""
    if option.value is None:
        return f"{option.name}="
    if isinstance(option.value, int):
        return f"{option.name}={option.value}"
    value = _quotable(option)
    quote = "'" if '"' in value else '"'
    return f"{option.name}={quote}{value}{quote}"


def _quotable(option: Option) -> str:
    """Its value in one line, because a suggestion to copy must be short."""
    value = str(option.value)
    return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"


OptionStyle = Callable[[Option], str]


@functools.cache
def catalogue() -> dict[str, dict[str, str]]:
    """The templates of every code: ``message``, and ``hint`` where there is one."""
    entries: dict[str, dict[str, str]] = {}
    for area in Path(__file__).parent.glob("*.toml"):
        entries |= tomllib.loads(area.read_text(encoding="utf-8"))
    return entries


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence for a person and what it was made from.

    ``code`` names what it says (``phase-unknown-key``) and never changes once published. Among the parameters, an
    :class:`Option` is spelled by the front end, a list of texts is joined with commas, and a message is filled in too.
    ``recorded`` is the sentence as a file or another version holds it; it is shown instead of the catalogue's.
    """

    code: str
    params: Mapping[str, object] = field(default_factory=dict)
    recorded: str | None = None

    def __hash__(self) -> int:
        return hash((self.code, self.text()))

    def __str__(self) -> str:
        return self.text()

    def text(self, style: OptionStyle = command_line_option) -> str:
        """The sentence, with options spelled in ``style``. Raises ``KeyError`` for a code that is in no catalogue."""
        if self.recorded is not None:
            return self.recorded
        return filled(catalogue()[self.code]["message"], self.params, style)

    def hint(self, style: OptionStyle = command_line_option) -> str | None:
        """What to do about it, where the catalogue knows."""
        template = catalogue()[self.code].get("hint")
        return None if template is None else filled(template, self.params, style)

    def map_texts(self, change: Callable[[str], str]) -> Message:
        """This message with every text in it changed (redacted, say)."""
        recorded = None if self.recorded is None else change(self.recorded)
        return Message(self.code, map_texts(dict(self.params), change), recorded)

    def to_data(self) -> dict[str, Any]:
        """As maps, lists, numbers and texts, for JSON and msgpack; see :meth:`from_data`."""
        return {"code": self.code, "params": params_to_data(self.params), "text": self.text()}

    @classmethod
    def from_data(cls, data: Any) -> Message:
        """The message that another process sent or recorded. Raises ``ValueError`` if ``data`` is none."""
        try:
            code, params, text = str(data["code"]), params_from_data(data["params"]), str(data["text"])
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError("not a message") from error
        restored = cls(code, params)
        try:
            restored.text()
        except (LookupError, TypeError, ValueError, AttributeError):  # another version's words
            return cls(code, params, text)
        return restored


def message(code: str, /, **params: object) -> Message:
    """A :class:`Message`, its parameters given by keyword."""
    return Message(code, params)


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
        return message("did-you-mean", close=close, known=choices)
    if choices:
        return message("known", known=choices)
    return message("none-known")


class _Formatter(Formatter):
    """:meth:`str.format` with two more conversions, and counts.

    ``{value!q}`` quotes a value as a user would write it; ``{choices!o}`` joins texts with commas and "or";
    ``{count:n request}`` is "1 request" or "1,200 requests", and of a mean "1.5 requests".
    """

    def __init__(self, style: OptionStyle) -> None:
        self._style = style

    def convert_field(self, value: Any, conversion: Any) -> Any:
        match conversion:
            case "q":
                return quoted(value)
            case "o":
                texts = [str(_shown(each, self._style)) for each in value]
                return " or ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))
            case _:
                return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> Any:
        if format_spec.startswith("n "):
            number = f"{value:.3g}" if isinstance(value, float) else f"{value:,}"
            return f"{number} {format_spec[2:]}{'' if number == '1' else 's'}"
        return format(_shown(value, self._style), format_spec)


def filled(template: str, params: Mapping[str, object], style: OptionStyle) -> str:
    return _Formatter(style).vformat(template, (), params)


def _shown(value: object, style: OptionStyle) -> object:
    if isinstance(value, Option):
        return style(value)
    if isinstance(value, Message):
        return value.text(style)
    if isinstance(value, list | tuple) and all(isinstance(each, str | Option | Message) for each in value):
        more = [f"… ({len(value) - _MOST_LISTED:,} more)"] if len(value) > _MOST_LISTED else []
        return ", ".join([*(str(_shown(each, style)) for each in value[:_MOST_LISTED]), *more])
    return shortened(value, _LONGEST_TEXT) if type(value) is str else value


def quoted(value: object) -> str:
    """``value`` as TOML has it, text in double quotes, at most a line of it."""
    try:
        return shortened(" ".join(_as_written(value).splitlines()), 80)
    except (ValueError, RecursionError):  # more digits than Python writes, deeper than it goes
        return "this"


def _as_written(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value[:_LONGEST_TEXT]}"'
        case dt.date() | dt.time():
            return value.isoformat()
        case dict() if value:
            return f"{{{', '.join(f'{key} = {_as_written(item)}' for key, item in value.items())}}}"
        case _:
            return repr(value)


def shortened(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}…"


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """``value`` with every text in it changed: a text, an option, a message, or a list or map of these."""
    if isinstance(value, Message):
        return value.map_texts(change)
    if isinstance(value, Option):
        return Option(value.name, map_texts(value.value, change))
    if isinstance(value, list | tuple):
        return [map_texts(each, change) for each in value]
    if isinstance(value, dict):
        return {name: map_texts(each, change) for name, each in value.items()}
    return change(value) if isinstance(value, str) else value


def params_to_data(params: Mapping[str, object]) -> dict[str, object]:
    return {name: to_data(value) for name, value in params.items()}


def params_from_data(data: Mapping[str, object]) -> dict[str, Any]:
    return {name: from_data(value) for name, value in data.items()}


def to_data(value: object) -> object:
    if isinstance(value, Message):
        return value.to_data()
    if isinstance(value, Option):
        return {"option": value.name, "value": to_data(value.value)}
    if isinstance(value, list | tuple):
        return [to_data(each) for each in value]
    return value if value is None or type(value) in (bool, int, float, str) else str(value)


def from_data(value: object) -> object:
    if isinstance(value, list | tuple):
        return [from_data(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "option" in value:
        return Option(value["option"], value["value"])
    return Message.from_data(value)
