"""The line of each key of a TOML file, through strings, comments, arrays and inline tables."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plan.config_source import KeyPath
from harness.plan.problems import shown
from harness.plan.toml_file import key_lines, parse_toml

TEXT = '''# comment = 1
description = """
[[phase]]
name = "not a key"
"""
stop = 'a # b' # c = 2

[[phase]]
name = "x = 1 \\" ]"
rate = {from = 1.5, "to" = 2, step = {a.b = 1}}
[[phase]]
  users = 5
list = [
  1, # one
  {a = 1},
  [2, "]"],
]
[phase.extra]
deep.er = 1979-05-27T07:32:00Z
[[phase.sub]]
k = 1.0
[sampling."odd name"]
cpu = false
'''


def test_each_key_has_its_line() -> None:
    lines = key_lines(TEXT)
    assert lines == {
        ("description",): 2,
        ("stop",): 6,
        ("phase",): 8,
        ("phase", 0): 8,
        ("phase", 0, "name"): 9,
        ("phase", 0, "rate"): 10,
        ("phase", 0, "rate", "from"): 10,
        ("phase", 0, "rate", "to"): 10,
        ("phase", 0, "rate", "step"): 10,
        ("phase", 0, "rate", "step", "a"): 10,
        ("phase", 0, "rate", "step", "a", "b"): 10,
        ("phase", 1): 11,
        ("phase", 1, "users"): 12,
        ("phase", 1, "list"): 13,
        ("phase", 1, "list", 0): 14,
        ("phase", 1, "list", 1): 15,
        ("phase", 1, "list", 1, "a"): 15,
        ("phase", 1, "list", 2): 16,
        ("phase", 1, "list", 2, 0): 16,
        ("phase", 1, "list", 2, 1): 16,
        ("phase", 1, "extra"): 18,
        ("phase", 1, "extra", "deep"): 19,
        ("phase", 1, "extra", "deep", "er"): 19,
        ("phase", 1, "sub"): 20,
        ("phase", 1, "sub", 0): 20,
        ("phase", 1, "sub", 0, "k"): 21,
        ("sampling",): 22,
        ("sampling", "odd name"): 22,
        ("sampling", "odd name", "cpu"): 23,
    }


def test_a_key_of_the_whole_file_is_located_without_reading_what_follows(tmp_path: Path) -> None:
    source = parse_toml(tmp_path / "p.toml", TEXT.encode())
    located = {key: shown(source.where((key,))) for key in source.data}
    lines = {"description": 2, "stop": 6, "phase": 8, "sampling": 22}
    assert located == {key: f"{tmp_path / 'p.toml'}:{line}: {key}" for key, line in lines.items()}


def paths(value: object, path: KeyPath = ()) -> set[KeyPath]:
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return {path} | {found for key, below in children for found in paths(below, (*path, key))}


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + "".join(f"  {toml(below)}, # ] = {{\n" for below in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value).lower()


WORDS = st.text(alphabet="ab =#[]{}'\"\\.,", max_size=6)
VALUES = st.recursive(
    st.integers() | st.booleans() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
)


@pytest.mark.slow
@given(st.lists(st.dictionaries(WORDS, VALUES, max_size=4), max_size=4))
def test_every_key_that_tomllib_reads_has_a_line(tables: list[dict[str, Any]]) -> None:
    text = "".join(
        "[[phase]]\n" + "".join(f"{toml(key)} = {toml(value)}\n" for key, value in table.items()) for table in tables
    )
    data = tomllib.loads(text)
    lines = key_lines(text)
    assert set(lines) == paths(data) - {()}
    for path, line in lines.items():
        if isinstance(path[-1], str):
            assert (toml(path[-1]) if len(path) > 1 else path[-1]) in text.split("\n")[line - 1]
