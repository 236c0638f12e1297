"""Splits requirements into words, and knows which words may follow which.

Their grammar is regular: what may follow depends on the words before only through one of a dozen states. A table of
those names what was expected, as a parser generator does, which would take 0.07 s of CPU at the start of each run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.plan.problems import InvalidValue

Grammar = Mapping[str, Mapping[str, str]]
"""For each state the kinds of words that may follow, in the order in which they are tried, and the state after each."""

START, END = "start", "end of text"
_LONGEST = 1000
_KINDS = {
    "WORD": r"[a-zA-Z_][\w.]*",
    "COMPARATOR": r"[<>=!]+|≤|≥",
    "NO": r"(?i:no)\b",
    "STEP": r"(?i:step)\b",
    "DIRECTION": r"(?i:up|down)\b",
    "NUMBER": r"[+-]?(\d+(\.\d+)?|\.\d+)",
    "BASELINE": r"(?i:baseline)\b",
    "UNIT": r"[a-zA-Zµ]+(\s*/\s*[a-zA-Z]+)?|%|/\s*[a-zA-Z]+",
    "SIGN": r"[+-]",
    "OR": r"(?i:or)\b",
    "AND": r"(?i:and)\b",
    "BENCH": r"(?i:bench)\b",
    "NAME": r""""[^"]*"|'[^']*'""",
    "LPAR": r"\(",
    "RPAR": r"\)",
    "DOT": r"\.",
}
_EXPECTED = {
    "WORD": "a metric",
    "COMPARATOR": "a comparison (<, <=, >, >=)",
    "NO": '"no step"',
    "STEP": '"step"',
    "DIRECTION": '"up" or "down"',
    "NUMBER": "a number",
    "BASELINE": '"baseline"',
    "UNIT": "a unit",
    "SIGN": "+ or -",
    "OR": '"or"',
    "AND": '"and"',
    END: "the end",
    "BENCH": "bench(…)",
    "NAME": "a benchmark's name in quotes",
    "LPAR": "(",
    "RPAR": ")",
    "DOT": "a dot",
}
_SPACE = re.compile(r"[ \t\f\r\n]*")
_MATCH = {kind: re.compile(pattern).match for kind, pattern in _KINDS.items()}

_JOINT = {"OR": START, "AND": START, END: ""}
CONDITION: Grammar = {
    START: {"WORD": "comparator"},
    "comparator": {"COMPARATOR": "limit", "NO": "step"},
    "step": {"STEP": "direction"},
    "direction": {"DIRECTION": "joint"},
    "limit": {"NUMBER": "unit", "BASELINE": "sign"},
    "sign": {**_JOINT, "SIGN": "change"},
    "change": {"NUMBER": "unit"},
    "unit": {**_JOINT, "UNIT": "joint"},
    "joint": _JOINT,
}
_END = {END: ""}
BENCHMARK: Grammar = {
    **CONDITION,
    START: {"BENCH": "opening"},
    "opening": {"LPAR": "name"},
    "name": {"NAME": "closing"},
    "closing": {"RPAR": "dot"},
    "dot": {"DOT": "metric"},
    "metric": {"WORD": "comparator"},
    "comparator": {"COMPARATOR": "limit"},
    "sign": {**_END, "SIGN": "change"},
    "unit": {**_END, "UNIT": "joint"},
    "joint": _END,
}


class Word(NamedTuple):
    """A part of a requirement, and where it stands in the text."""

    kind: str
    text: str
    start: int
    end: int


def words_of(text: str, grammar: Grammar, examples: Sequence[str]) -> list[Word]:
    """The words of ``text``. Raises ``InvalidValue``, with ``examples`` in its hint, where one may not follow."""
    if len(text) > _LONGEST:
        raise InvalidValue("requirement-too-long", length=len(text), most=_LONGEST)
    words, state, at = list[Word](), START, _after_space(text, 0)
    while at < len(text):
        word = _word_at(text, at, grammar[state])
        if word is None:
            raise _unexpected(text, at, grammar[state], examples)
        words.append(word)
        state, at = grammar[state][word.kind], _after_space(text, word.end)
    if END not in grammar[state]:
        raise InvalidValue("requirement-incomplete", text=text, expected=_expected(grammar[state]), examples=examples)
    return words


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None  # it may be empty
    return space.end()


def _word_at(text: str, at: int, kinds: Mapping[str, object]) -> Word | None:
    for kind in kinds:
        if kind != END and (found := _MATCH[kind](text, at)):
            return Word(kind, found[0], at, found.end())
    return None


def _unexpected(text: str, at: int, follows: Mapping[str, str], examples: Sequence[str]) -> InvalidValue:
    column = at - text.rfind("\n", 0, at)
    if _word_at(text, at, _MATCH) is None:  # a character that starts no word
        return InvalidValue(
            "requirement-unexpected-character", text=text, character=text[at], column=column, examples=examples
        )
    return InvalidValue(
        "requirement-unexpected-word", text=text, expected=_expected(follows), column=column, examples=examples
    )


def _expected(follows: Mapping[str, str]) -> list[str]:
    return [word for kind, word in _EXPECTED.items() if kind in follows]
