"""Reads, writes and redacts single TOML values on one line, as ``--set KEY=VALUE`` has them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping

from harness.record.redaction import REDACTED, is_secret, redacted, redacted_command

_COMMANDS = ("command", "start", "stop")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read_value(text: str) -> object:
    """A TOML value, or the text itself."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # no TOML, or more digits or brackets than Python reads
        return text.strip()
    return table["value"] if list(table) == ["value"] else text


def setting_text(key: str, value: object) -> str:
    """``KEY=VALUE``, such that :func:`read_value` reads ``value`` from it."""
    return f"{key}={value if isinstance(value, str) and read_value(value) == value else _toml(value)}"


def redacted_setting(text: str) -> str:
    """``KEY=VALUE`` without its secrets."""
    key, _, value_text = text.partition("=")
    value = read_value(value_text)
    hidden = _redacted_value(key.strip(), value)
    return text if hidden == value else setting_text(key, hidden)


def redacted_values(table: Mapping[str, object]) -> dict[str, object]:
    """A table without its secrets."""
    return {name: _redacted_value(name, value) for name, value in table.items()}


def _redacted_value(name: str, value: object) -> object:
    """As the target that it sets is redacted: tables by their names, its command by its words."""
    if is_secret(name):
        return REDACTED if value != "" else value
    match value:
        case dict():
            return redacted_values(value)
        case list():
            return [_redacted_value(name, item) for item in value]
        case str():
            return redacted_command(value) if name.rpartition(".")[2] in _COMMANDS else redacted(value)
        case _:
            return value


def _toml(value: object) -> str:
    """On one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # JSON's escapes are TOML's, but for one character that TOML wants escaped as well.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            pairs = (f"{key if _BARE.fullmatch(key) else _toml(key)} = {_toml(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case _:
            return repr(value)  # of numbers TOML's is Python's, ``inf`` and ``nan`` too
