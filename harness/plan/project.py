"""Reads ``[tool.harness]`` of ``pyproject.toml``, which applies to every run started below its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.plan.config_source import ConfigSource
from harness.plan.problems import Problems
from harness.plan.settings import GuardRails
from harness.plan.toml_file import parse_toml
from harness.plan.validation_errors import checked

_TABLE = ("tool", "harness")


class _ProjectTable(GuardRails):
    bench: Any = None
    """Read by :mod:`harness.plan.bench_resolve`; declared here to make the key known."""


def load_project(folder: Path, problems: Problems) -> GuardRails:
    """The table of the nearest ``pyproject.toml`` that has one, in ``folder`` or above; else the defaults.

    Problems of its keys go to ``problems``. Raises :class:`HarnessError` if the file is not TOML.
    """
    for above in (folder, *folder.parents):
        path = above / "pyproject.toml"
        if path.is_file():
            source = _read(path)
            if source is not None:
                return checked(_ProjectTable, source.data[""], (), source, problems) or GuardRails()
    return GuardRails()


def _read(path: Path) -> ConfigSource | None:
    """The table, unchecked; None if the file has none or cannot be read."""
    try:
        content = path.read_bytes()
    except OSError:
        return None  # someone else's file in a folder above
    source = parse_toml(path, content)
    tool = source.data.get("tool")
    table = tool.get("harness") if isinstance(tool, dict) else None
    return None if table is None else ConfigSource({"": table}, source.locations_below(_TABLE))
