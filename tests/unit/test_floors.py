"""The contracts on imports name every part of harness: one that they leave out could import anything."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

import pytest

from tests.support.command import REPOSITORY

PARTS = {
    f"harness.{path.stem}"
    for path in (REPOSITORY / "harness").iterdir()
    if not path.name.startswith("__") and (path.suffix == ".py" or (path / "__init__.py").is_file())
}
STANDS_ALONE = {"harness.shop"}


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def named_in(contract: dict[str, Any]) -> Iterable[str]:
    modules = [*contract.get("layers", ()), *contract.get("source_modules", ()), *contract.get("forbidden_modules", ())]
    return (name.strip() for module in modules for name in module.split("|"))


@pytest.mark.parametrize("contract", contracts()[:3], ids=lambda contract: contract["name"])
def test_every_part_is_named(contract: dict[str, Any]) -> None:
    assert set(named_in(contract)) | STANDS_ALONE == PARTS
