"""Finds the line of each key of a TOML file, which ``tomllib`` does not report.

Reads only text that ``tomllib`` has accepted, so the grammar need not reject anything: it follows keys and brackets.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from functools import cache

from lark import Lark, Token, Tree

from harness.plan.config_source import KeyPath

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


def key_lines(text: str) -> dict[KeyPath, int]:
    """Each key's path, such as ``("phase", 0, "rate", "from")``, and the line (from 1) on which it is set.

    ``text`` is valid TOML. Tables and elements of arrays of tables count from their header.
    """
    lines: dict[KeyPath, int] = {}
    counts: defaultdict[KeyPath, int] = defaultdict(int)
    table: KeyPath = ()
    for statement in _parser().parse(text).children:
        assert isinstance(statement, Tree)
        if statement.data == "pair":
            _add_pair(lines, table, statement)
            continue
        *above, last = _keys(statement)
        table = ()
        for key in above:
            table = (*table, key)
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
    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True)


def _keys(statement: Tree[Token]) -> list[str]:
    """The parts of the dotted key that a statement begins with."""
    key = statement.children[0]
    assert isinstance(key, Tree)
    parts = [part for part in key.children if isinstance(part, Token)]
    return [str(part) if part.type == "WORD" else next(iter(tomllib.loads(f"{part} = 0"))) for part in parts]


def _add_pair(lines: dict[KeyPath, int], path: KeyPath, pair: Tree[Token]) -> None:
    for key in _keys(pair):
        path = (*path, key)
        lines.setdefault(path, pair.meta.line)
    _add_value(lines, path, pair.children[1])


def _add_value(lines: dict[KeyPath, int], path: KeyPath, value: Token | Tree[Token]) -> None:
    if not isinstance(value, Tree):
        return
    for index, each in enumerate(value.children):
        if value.data == "inline":
            assert isinstance(each, Tree)
            _add_pair(lines, path, each)
        elif value.data == "array":
            line = each.meta.line if isinstance(each, Tree) else each.line
            assert line is not None
            lines[*path, index] = line
            _add_value(lines, (*path, index), each)
