"""The catalogue of messages: what the source raises has words, the words have parameters, and none is left over."""

from __future__ import annotations

import ast
import datetime as dt
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

from harness.errors import HarnessError, ManyProblemsError, problems_of
from harness.messages import Message, Option, catalogue, filled, keyword_argument, message, quoted
from harness.record.redaction import redacted
from tests.support.command import REPOSITORY

MAKERS = {"HarnessError", "InvalidValue", "Message", "message", "add"}
"""Functions whose first argument is a code."""


@cache
def source() -> dict[Path, ast.Module]:
    files = sorted((REPOSITORY / "harness").rglob("*.py"))
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}


def calls() -> Iterator[tuple[str, str, set[str] | None]]:
    """(place, code, parameters) of each call that makes a message; None where the parameters are passed on."""
    for file, tree in source().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            code = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            if name not in MAKERS or not isinstance(code, str) or (name == "add" and "where" not in keywords(node)):
                continue
            passed_on = len(node.args) > 1 or any(word.arg is None for word in node.keywords)
            given = keywords(node) - ({"key"} if name == "InvalidValue" else set())  # it says which key is at fault
            yield f"{file.relative_to(REPOSITORY)}:{node.lineno}", code, None if passed_on else given


def keywords(call: ast.Call) -> set[str]:
    return {word.arg for word in call.keywords if word.arg}


def parameters(template: str) -> set[str]:
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_no_words_look_like_a_secret() -> None:
    """They would be printed with *** in place of what the user should write."""
    texts = [text for words in catalogue().values() for text in words.values()]
    assert [text for text in texts if redacted(text) != text] == []


def test_each_code_is_in_one_area() -> None:
    areas = [tomllib.loads(file.read_text()) for file in (REPOSITORY / "harness" / "messages").glob("*.toml")]
    assert sum(map(len, areas)) == len(catalogue())
    for code, words in catalogue().items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code), code
        assert words.keys() <= {"message", "hint"}, code


@pytest.mark.slow
def test_what_is_raised_has_words_and_their_parameters() -> None:
    for place, code, given in calls():
        assert code in catalogue(), f"{place}: {code}"
        needed = set().union(*map(parameters, catalogue()[code].values()))
        assert "" not in needed, f"{code}: name the parameter"
        assert given is None or needed <= given, f"{place}: {code} needs {needed - given}"


@pytest.mark.slow
def test_no_words_are_left_over() -> None:
    literals = {node.value for tree in source().values() for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert catalogue().keys() <= literals


def test_a_hint_is_a_sentence() -> None:
    for code, words in catalogue().items():
        hint = words.get("hint")
        # A hint may end with what it quotes after a colon, or with a parameter that is a sentence.
        assert not hint or re.search(r"[.?]$|: \{\w+\}$|^\{\w+\}$", hint), code
        assert not hint or not hint[0].islower(), code


def test_a_front_end_spells_options_its_own_way() -> None:
    error = HarnessError(
        "host-not-allowed",
        where=Option("host", "http://10.0.0.9"),
        url="http://10.0.0.9",
        host="10.0.0.9",
        option=Option("allow_host", "10.0.0.9"),
        setting="allowed_hosts = []",
    )
    assert (error.code, error.where) == ("host-not-allowed", "--host http://10.0.0.9")
    assert "--allow-host 10.0.0.9" in str(error.hint)
    error.style = keyword_argument
    assert error.where == 'host="http://10.0.0.9"'
    assert 'allow_host="10.0.0.9"' in str(error.hint)


def test_an_endless_value_of_an_option_is_cut() -> None:
    error = HarnessError("unknown-key", where=Option("set", "a." * 5000), word="a", alternatives=[])
    assert len(error.where or "") < 400
    error.style = keyword_argument
    assert len(error.where or "") < 400


def test_parameters_are_never_read_as_templates() -> None:
    assert str(message("note", text="{y}")) == "{y}"


def test_a_message_of_another_version_keeps_its_own_words() -> None:
    sent = {"code": "not-known-here", "params": {"n": 3}, "text": "three of {them}"}
    received = Message.from_data(sent)
    assert (received.code, received.params, str(received)) == ("not-known-here", {"n": 3}, "three of {them}")
    assert received.to_data() == sent


@pytest.mark.parametrize("data", [None, 3, {}, {"code": "note", "params": 3, "text": ""}, {"code": "note"}])
def test_an_invalid_message_is_rejected(data: object) -> None:
    with pytest.raises(ValueError, match="not a message"):
        Message.from_data(data)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (dt.date(1979, 5, 27), "1979-05-27"),
        ({}, "{}"),
        ({"a": {"b": True}}, "{a = {b = true}}"),
        ("two\nlines", '"two lines"'),
        ("x" * 200_000, '"' + "x" * 76 + "…"),
    ],
)
def test_a_value_is_quoted_as_it_was_written_and_on_one_line(value: object, shown: str) -> None:
    assert quoted(value) == shown


def test_no_parameter_makes_a_message_endless() -> None:
    assert len(str(message("note", text="x" * 200_000))) < 10_000
    assert len(str(message("known", known=[f"name-{number}" for number in range(100_000)]))) < 1_000


def test_many_problems_survive_the_way_from_a_child() -> None:
    problems = [HarnessError("run-folder-not-found", where="a"), HarnessError("no-run-yet", where="b")]
    restored = HarnessError.from_data(ManyProblemsError(problems).to_data())
    assert [(problem.code, problem.where) for problem in problems_of(restored)] == [
        ("run-folder-not-found", "a"),
        ("no-run-yet", "b"),
    ]


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 workers"), (1, "1 worker"), (1200, "1,200 workers"), (1.0, "1 worker"), (1.04, "1.04 workers")],
)
def test_a_count_agrees_with_what_is_counted(count: float, shown: str) -> None:
    assert filled("{count:n worker}", {"count": count}, str) == shown
