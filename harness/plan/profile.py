"""Finds and reads profiles: TOML files that say how much load, when, and what must hold, for any scenario.

Also ``[tool.harness]`` of ``pyproject.toml``, which applies to every run started below its folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.messages import Option, alternatives
from harness.plan.config_source import ConfigSource, shown_path
from harness.plan.metrics_tables import read_sources
from harness.plan.model import MetricsSource
from harness.plan.problems import Problems
from harness.plan.settings import GuardRails
from harness.plan.toml_file import parse_toml, read_toml
from harness.plan.validation_errors import checked

_PACKAGED = Path(__file__).parent / "profiles"
_SHIPPED = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "profiles"
"""Beside this file in an installed wheel (see pyproject.toml), at the top of a clone."""
_TABLE = ("tool", "harness")


@dataclass(frozen=True)
class Profile:
    """A profile, not checked yet. ``name`` is the file's without ``.toml``."""

    name: str
    path: Path
    source: ConfigSource


def load_profile(name_or_file: str, *, scenario: str | Path | None = None) -> Profile:
    """Read the profile of that name, or that file.

    Looks for a name in ``./profiles``, in ``profiles`` beside the folder of ``scenario``, and among the shipped ones.
    Raises ``HarnessError`` where there is none or it is not TOML.
    """
    path = _find(name_or_file, scenario)
    return Profile(path.stem, path, read_toml(path))


def profile_names(scenario: str | Path | None = None) -> list[str]:
    """The names under which profiles can be found from here."""
    return sorted({path.stem for folder in _folders(scenario) for path in folder.glob("*.toml")})


def _find(name_or_file: str, scenario: str | Path | None) -> Path:
    if name_or_file.endswith(".toml") or "/" in name_or_file:
        path = Path(name_or_file)
        if not path.exists():
            raise HarnessError(
                "profile-file-not-found",
                where=name_or_file,
                alternatives=alternatives(path.stem, [other.stem for other in path.absolute().parent.glob("*.toml")]),
            )
        return path.absolute()
    for folder in _folders(scenario):
        path = folder / f"{name_or_file}.toml"
        if path.is_file():
            return path.absolute()
    raise HarnessError(
        "profile-not-found",
        where=Option("profile"),
        name=name_or_file,
        folders=[shown_path(folder) for folder in _folders(scenario)],
        alternatives=alternatives(name_or_file, profile_names(scenario)),
    )


def _folders(scenario: str | Path | None) -> list[Path]:
    folders = [Path.cwd() / "profiles"]
    if scenario is not None:
        folders.append(Path(scenario).absolute().parent.parent / "profiles")
    return list(dict.fromkeys([*folders, _SHIPPED]))


class ProjectKeys(GuardRails):
    """``[tool.harness]``; what is not typed here is checked by whoever reads it."""

    bench: Any = None
    metrics: Any = None


@dataclass(frozen=True)
class Project:
    """What holds for every run below a folder."""

    guard_rails: GuardRails = field(default_factory=GuardRails)
    metrics: tuple[MetricsSource, ...] = ()


def load_project(folder: Path, problems: Problems) -> Project:
    """The table of the nearest ``pyproject.toml`` that has one, in ``folder`` or above; else the defaults.

    Problems of its keys go to ``problems``. Raises :class:`HarnessError` if the file is not TOML.
    """
    for above in (folder, *folder.parents):
        path = above / "pyproject.toml"
        if path.is_file():
            source = _project_table(path)
            if source is not None:
                keys = checked(ProjectKeys, source.data[""], (), source, problems)
                if keys is None:
                    return Project()
                return Project(keys, tuple(read_sources(source, (), keys.metrics, problems)))
    return Project()


def _project_table(path: Path) -> ConfigSource | None:
    """The table, unchecked; None if the file has none or cannot be read."""
    try:
        content = path.read_bytes()
    except OSError:
        return None  # someone else's file in a folder above
    source = parse_toml(path, content)
    tool = source.data.get("tool")
    table = tool.get("harness") if isinstance(tool, dict) else None
    return None if table is None else ConfigSource({"": table}, source.locations_below(_TABLE))
