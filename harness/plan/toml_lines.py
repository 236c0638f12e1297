"""On which line each key of a TOML file stands, which ``tomllib`` does not tell.

Reads only text that ``tomllib`` has parsed already, and so need not judge it: it follows brackets, strings and keys.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator

from harness.plan.config_source import KeyPath

_TOKEN = re.compile(
    r'''(?P<text>"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')'''
    r"""|(?P<comment>\#[^\n]*)|(?P<newline>\n)|(?P<mark>[\[\]{}=,.])|(?P<bare>[^\s\[\]{}=,.\#"']+)|(?P<space>[^\S\n]+)""",
    re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Each key's path, such as ``("phase", 0, "rate", "from")``, and the line (from 1) on which it is set.

    ``text`` is valid TOML. Tables and elements of arrays of tables count from their header.
    """
    return _Reader(text).lines


class _Reader:
    """One pass over the tokens: ``_at`` is the next one, ``_table`` the table that keys belong to."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._counts: defaultdict[KeyPath, int] = defaultdict(int)
        self._tokens = [
            (match.lastgroup, match[0], 1 + text.count("\n", 0, match.start()))
            for match in _TOKEN.finditer(text)
            if match.lastgroup not in ("comment", "space")
        ]
        self._at = 0
        self._table: KeyPath = ()
        while self._at < len(self._tokens):
            kind, token, _ = self._tokens[self._at]
            if kind == "newline":
                self._at += 1
            elif token == "[":
                self._header()
            else:
                self._pair(self._table)

    def _header(self) -> None:
        line = self._tokens[self._at][2]
        array = self._tokens[self._at + 1][1] == "["
        self._at += 2 if array else 1
        keys = self._key()
        self._at += 2 if array else 1
        path = self._inside(keys[:-1]) + keys[-1:]
        if array:
            self.lines.setdefault(path, line)
            self._counts[path] += 1
            path = (*path, self._counts[path] - 1)
        self.lines.setdefault(path, line)
        self._table = path

    def _inside(self, keys: KeyPath) -> KeyPath:
        """The path of a dotted key, going into the last element of each array of tables on the way."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            if self._counts[path]:
                path = (*path, self._counts[path] - 1)
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._tokens[self._at][2]
        path = table
        for key in self._key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._at += 1  # =
        self._value(path)

    def _key(self) -> KeyPath:
        """The parts of a dotted key; stops before what follows it."""
        parts: list[str] = []
        while self._tokens[self._at][0] in ("bare", "text") or self._tokens[self._at][1] == ".":
            kind, token, _ = self._tokens[self._at]
            if token != ".":
                parts.append(next(iter(tomllib.loads(f"{token} = 0"))) if kind == "text" else token)
            self._at += 1
        return tuple(parts)

    def _value(self, path: KeyPath) -> None:
        token = self._tokens[self._at][1]
        if token == "{":
            for _ in self._elements("}"):
                self._pair(path)
        elif token == "[":
            for index in self._elements("]"):
                self.lines[*path, index] = self._tokens[self._at][2]
                self._value((*path, index))
        else:  # a number may have a dot, a date a space: all up to the end of the value
            while self._at < len(self._tokens) and not self._ends_value():
                self._at += 1

    def _elements(self, closing: str) -> Iterator[int]:
        """Stops at each element of an array or inline table, which the caller reads; ends behind ``closing``."""
        index = 0
        self._at += 1
        while self._tokens[self._at][1] != closing:
            if self._tokens[self._at][0] == "newline" or self._tokens[self._at][1] == ",":
                self._at += 1
            else:
                yield index
                index += 1
        self._at += 1

    def _ends_value(self) -> bool:
        kind, token, _ = self._tokens[self._at]
        return kind == "newline" or (kind == "mark" and token in ",]}")
