"""Database statements without their parameters, so that the same statement always reads the same.

Traces may hold statements with values in them: names of customers, tokens. Every literal becomes ``?`` before a
statement is recorded, and so does every placeholder of a driver. It is the form of ``pg_stat_statements``.
"""

from __future__ import annotations

import re

from harness.record.redaction import redacted

LONGEST = 1000
_READ = 8 * LONGEST
"""Only the beginning of a longer statement is read."""

# Each alternative is of one kind of token, and none can match another's beginning, so this takes linear time.
_TOKENS = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|$)|\#[^\n]*)
    |(?P<name>"(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$)|\[[A-Za-z_][^\]\n]*\]|[^\W\d]\w*)
    |(?P<text>'(?:[^'\\]|''|\\.)*(?:'|$)|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|$))
    |(?P<placeholder>%\(\w+\)s|%s|\$\d+|(?<![:\w]):[A-Za-z_]\w*|@\w+|\?)
    |(?P<number>(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+))
    |(?P<space>\s+)
    """,
    re.VERBOSE | re.DOTALL,
)
_LIST = re.compile(r"\?(?:\s*,\s*\?)+")
_ROWS = re.compile(r"\(\?\)(?:\s*,\s*\(\?\))+")
_VALUES = ("text", "placeholder", "number")


def normalised(statement: str, *, double_quoted_values: bool = False) -> str:
    """One SQL statement in one line, without comments, with ``?`` for each value and for each list of values.

    ``double_quoted_values``: in MySQL, text between double quotes is a value; elsewhere it is a name.
    """

    def token(found: re.Match[str]) -> str:
        if found.lastgroup in _VALUES or (double_quoted_values and found[0][0] == '"'):
            return "?"
        return " " if found.lastgroup in ("comment", "space") else found[0]

    text = _TOKENS.sub(token, statement[:_READ])
    text = _ROWS.sub("(?)", _LIST.sub("?", text))
    return _shortened(redacted(" ".join(text.split())))


def command(statement: str) -> str:
    """The name of a command to a cache or a document store; what follows it is a key or a value."""
    words = statement[:_READ].split(maxsplit=1)
    return _shortened(redacted(words[0].upper() if words and words[0].isascii() else ""))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
