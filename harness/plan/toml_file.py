"""Reads a TOML file into a :class:`ConfigSource`: its values, and the line of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from harness.errors import HarnessError
from harness.plan.config_source import ConfigSource, KeyPath, dotted, shown_path
from harness.plan.dsl import DEEPEST
from harness.plan.problems import Where

_MOST_BYTES = 1_000_000


def read_toml(path: Path) -> ConfigSource:
    """The whole file. Raises ``HarnessError``, naming the line, where it cannot be read or is not TOML."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError("file-unreadable", where=shown_path(path), reason=error.strerror) from None
    if len(content) > _MOST_BYTES:
        raise HarnessError("file-too-large", where=shown_path(path), size=len(content), most=_MOST_BYTES)
    return parse_toml(path, content)


def parse_toml(path: Path, content: bytes) -> ConfigSource:
    """The ``content`` of ``path``. Raises ``HarnessError``, naming the line, where it is not TOML."""
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise HarnessError("file-not-utf8", where=shown_path(path), byte=error.start) from None
    try:
        data = tomllib.loads(text)
        paths = list(_paths(data))
    except tomllib.TOMLDecodeError as error:
        raise _syntax_problem(path, text, error) from None
    except ValueError:  # Python's limit on digits
        raise HarnessError("toml-number-too-long", where=shown_path(path)) from None
    except RecursionError:
        raise HarnessError("toml-nested-too-deeply", where=shown_path(path)) from None
    positions = _Positions(shown_path(path), text)
    locations: dict[KeyPath, Where] = {path: partial(positions.of, path) for path in paths}
    return ConfigSource(data, locations | {(): positions.file})


@dataclass(frozen=True)
class _Positions:
    """Where keys stand in a file."""

    file: str
    text: str

    def of(self, key: KeyPath) -> str:
        return f"{self.file}:{self._lines[key]}: {dotted(key)}"

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        # Building the grammar takes longer than all else that is read here, and few files have a problem.
        from harness.plan.toml_lines import key_lines

        return key_lines(self.text)


def _paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of each value in a table or list. Raises ``RecursionError`` deeper than anything is meant to be."""
    if len(path) > DEEPEST:
        raise RecursionError
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in children:
        yield from _paths(below, (*path, key))


def _syntax_problem(path: Path, text: str, error: tomllib.TOMLDecodeError) -> HarnessError:
    """With the line first, as in every other message."""
    message, _, location = str(error).rpartition(" (at ")
    numbers = [int(word) for word in location.rstrip(")").replace(",", "").split() if word.isdigit()]
    lines = text.split("\n")
    # "at end of document" gives no numbers: the last line that holds something is where it breaks off.
    line = numbers[0] if numbers else max((i for i, each in enumerate(lines, 1) if each.strip()), default=1)
    return HarnessError(
        "toml-invalid", where=f"{shown_path(path)}:{line}", reason=message or error, text=lines[line - 1].strip()
    )
