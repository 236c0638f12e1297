"""Reads a TOML file into a :class:`ConfigSource`: its values, and the line of each."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.plan.config_source import ConfigSource, KeyPath, dotted, shown_path
from harness.plan.dsl import DEEPEST
from harness.plan.problems import Where

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

_MOST_BYTES = 1_000_000
_FEW = 5

_is_endless_key = re.compile(r"""(?<![\w\-"'])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){1000}""").search
"""Whether a key has that many parts: tomllib takes a minute for 100,000 of them."""

_GRAMMAR = r"""
start: _statement? (_NL _statement?)*
_statement: table | table_array | pair
table: "[" key "]"
table_array: "[" "[" key "]" "]"
pair: key "=" _value
key: (WORD | STRING) ("." (WORD | STRING))*
_value: STRING | atom | array | inline
atom: (WORD | ".")+
array: "[" _NL* (_value _NL* ("," _NL* _value _NL*)* ("," _NL*)?)? "]"
inline: "{" _NL* (pair _NL* ("," _NL* pair _NL*)* ("," _NL*)?)? "}"

STRING: /\"\"\"(?:[^\\]|\\.)*?"{3,5}|'''.*?'{3,5}/s | /"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/
WORD: /[^\s\[\]{}=,.#"']+/
_NL: "\n"
%ignore /[^\S\n]+|#[^\n]*/
"""


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
    if _is_endless_key(text):
        raise HarnessError("toml-nested-too-deeply", where=shown_path(path))
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
        alone = len(key) == 1 and next(self._looked_for) < _FEW
        line = (self._line_of(str(key[0])) if alone else None) or self._lines[key]
        return f"{self.file}:{line}: {dotted(key)}"

    def _line_of(self, key: str) -> int | None:
        """Where a key of the whole file is first set, without reading what follows; None if it is not simply written.

        That keeps the refusal of a file with thousands of tables fast. For many keys, all lines are found sooner.
        """
        for found in re.finditer(rf"^[ \t\[]*{re.escape(key)}(?![\w-])", self.text, re.MULTILINE):
            before = self.text[: found.start()]
            with suppress(tomllib.TOMLDecodeError):  # within a text of several lines
                return None if key in tomllib.loads(before) else before.count("\n") + 1
        return None

    @cached_property
    def _looked_for(self) -> Iterator[int]:
        return count()

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
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


def key_lines(text: str) -> dict[KeyPath, int]:
    """Each key's path, such as ``("phase", 0, "rate", "from")``, and the line (from 1) on which it is set.

    ``tomllib`` does not report it. It has accepted ``text``, so the grammar need not reject anything: it follows keys
    and brackets. Tables and elements of arrays of tables count from their header.
    """
    lines: dict[KeyPath, int] = {}
    counts: defaultdict[KeyPath, int] = defaultdict(int)
    table: KeyPath = ()
    for statement in _parser().parse(text).children:
        assert not isinstance(statement, str)
        if statement.data == "pair":
            _add_pair(lines, table, statement)
            continue
        *above, last = _keys(statement)
        table = ()
        for key in above:
            table = (*table, key)
            lines.setdefault(table, statement.meta.line)
            if counts[table]:  # into the last element of an array of tables
                table = (*table, counts[table] - 1)
        table = (*table, last)
        lines.setdefault(table, statement.meta.line)
        if statement.data == "table_array":
            counts[table] += 1
            table = (*table, counts[table] - 1)
            lines.setdefault(table, statement.meta.line)
    return lines


@cache
def _parser() -> Lark:
    # Building the grammar takes longer than all else that is read here, and few files have a problem.
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True)


def _keys(statement: Tree[Token]) -> list[str]:
    """The parts of the dotted key that a statement begins with."""
    key = statement.children[0]
    assert not isinstance(key, str)
    parts = [part for part in key.children if isinstance(part, str)]
    return [str(part) if part.type == "WORD" else next(iter(tomllib.loads(f"{part} = 0"))) for part in parts]


def _add_pair(lines: dict[KeyPath, int], path: KeyPath, pair: Tree[Token]) -> None:
    for key in _keys(pair):
        path = (*path, key)
        lines.setdefault(path, pair.meta.line)
    _add_value(lines, path, pair.children[1])


def _add_value(lines: dict[KeyPath, int], path: KeyPath, value: Token | Tree[Token]) -> None:
    if isinstance(value, str):
        return
    for index, each in enumerate(value.children):
        if value.data == "inline":
            assert not isinstance(each, str)
            _add_pair(lines, path, each)
        elif value.data == "array":
            line = each.line if isinstance(each, str) else each.meta.line
            assert line is not None
            lines[*path, index] = line
            _add_value(lines, (*path, index), each)
