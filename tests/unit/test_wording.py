"""The product's sentences, one snapshot an area. `scripts/wording --write` renews them; review the diff."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType

import pytest

from harness.errors import HarnessError, Message, Option, keyword_argument
from tests.support.command import REPOSITORY


@pytest.fixture(scope="module")
def script() -> ModuleType:
    loader = SourceFileLoader("wording", str(REPOSITORY / "scripts" / "wording"))
    spec = spec_from_loader("wording", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_snapshots_are_what_the_source_says(script: ModuleType) -> None:
    kept = {file.stem: file.read_text(encoding="utf-8") for file in script.SNAPSHOTS.glob("*.txt")}
    assert script.areas() == kept, "renew them with scripts/wording --write and read the diff"


def test_every_code_is_a_code(script: ModuleType) -> None:
    for file in (REPOSITORY / "harness").rglob("*.py"):
        for code, template, hint in script.sentences(file):
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code), f"{file.name}: {code}"
            for text in (template, hint or ""):
                assert "{}" not in text, f"{file.name}: {code}: name the parameter"


def test_a_front_end_spells_options_its_own_way() -> None:
    error = HarnessError(
        "host-not-allowed",
        "load is not sent to {host}",
        where=Option("host", "http://10.0.0.9"),
        hint="allow it with {option}",
        host="10.0.0.9",
        option=Option("allow_host", "10.0.0.9"),
    )
    assert (error.code, error.where, error.hint) == (
        "host-not-allowed",
        "--host http://10.0.0.9",
        "allow it with --allow-host 10.0.0.9",
    )
    error.style = keyword_argument
    assert (error.where, error.hint) == ('host="http://10.0.0.9"', 'allow it with allow_host="10.0.0.9"')


def test_parameters_are_never_read_as_templates() -> None:
    assert str(Message("x", "unknown key {key}", {"key": "{y}"})) == "unknown key {y}"


def test_a_hint_is_a_sentence(script: ModuleType) -> None:
    for file in (REPOSITORY / "harness").rglob("*.py"):
        for code, _, hint in script.sentences(file):
            # A hint may end with what it quotes after a colon, or with a parameter that is a sentence.
            assert not hint or re.search(r"[.?]$|: \{\w+\}$|^\{\w+\}$", hint), f"{file.name}: {code}"
            assert not hint or not hint[0].islower(), f"{file.name}: {code}"
