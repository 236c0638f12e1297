"""``[tool.harness]`` of the project's ``pyproject.toml``: what holds for every run that is started below its folder."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.plan import invalid
from harness.plan.faults import Faults
from harness.plan.settings import GuardRails
from harness.plan.toml_lines import key_lines
from harness.plan.written import KeyPath, Written, dotted, shown_path

_TABLE = ("tool", "harness")


class _ProjectTable(GuardRails):
    bench: Any = None
    """Read by :mod:`harness.plan.bench_resolve`; here so that the key is known."""


def load_project(folder: Path, faults: Faults) -> GuardRails:
    """That of the nearest ``pyproject.toml`` with such a table, in ``folder`` or above; else the defaults.

    What is wrong with its keys is told to ``faults``; :class:`HarnessError` where the file is no TOML.
    """
    for above in (folder, *folder.parents):
        path = above / "pyproject.toml"
        if path.is_file():
            written = _read(path)
            if written is not None:
                return _checked(written, faults)
    return GuardRails()


def _read(path: Path) -> Written | None:
    """The table as it was written; None where the file has none, or cannot be read."""
    try:
        text = path.read_bytes().decode().replace("\r\n", "\n")
    except OSError:
        return None  # somebody else's file, above a folder of ours
    except UnicodeDecodeError as error:
        raise HarnessError(
            f"byte {error.start} is not UTF-8", where=shown_path(path), hint="save the file as UTF-8"
        ) from None
    try:
        data: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(f"not TOML: {error}", where=shown_path(path)) from None
    tool = data.get("tool")
    table = tool.get("harness") if isinstance(tool, dict) else None
    if table is None:
        return None
    file = shown_path(path)
    places: dict[KeyPath, str] = {
        key[2:]: f"{file}:{line}: {dotted(key)}" for key, line in key_lines(text).items() if key[:2] == _TABLE
    }
    return Written({"": table}, {(): file, **places})


def _checked(written: Written, faults: Faults) -> GuardRails:
    try:
        return _ProjectTable.model_validate(written.data[""])
    except ValidationError as error:
        invalid.tell(error, _ProjectTable, (), written, faults)
        return GuardRails()
