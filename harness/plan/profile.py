"""Finds and reads profiles: TOML files with the load and the gates, for any scenario.

Also ``[tool.harness]`` of ``pyproject.toml``, which applies to every run started below its folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.messages import Option, alternatives
from harness.plan.config_source import ConfigSource, shown_path
from harness.plan.hosts import AllowedHosts
from harness.plan.metrics_tables import read_sources
from harness.plan.model.fault import PlannedProxy
from harness.plan.model.sampling import MetricsSource
from harness.plan.model.target import AllowedHost
from harness.plan.problems import Problems, shown
from harness.plan.settings import GuardRails
from harness.plan.toml_file import parse_toml, read_toml
from harness.plan.validation_errors import checked

_PACKAGED = Path(__file__).parent / "profiles"
_SHIPPED = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "profiles"
"""Beside this file in an installed wheel (see pyproject.toml), at the top of a clone."""
_TABLE = ("tool", "harness")


@dataclass(frozen=True)
class Profile:
    """A profile, not checked yet. ``name`` is the file's without ``.toml``, ``given`` the name or file asked for."""

    name: str
    given: str
    path: Path
    source: ConfigSource


def load_profile(name_or_file: str, *, scenario: str | Path | None = None) -> Profile:
    """Read the profile of that name, or that file.

    Looks for a name in ``./profiles``, in ``profiles`` beside the folder of ``scenario``, and among the shipped ones.
    Raises ``HarnessError`` where there is none or it is not TOML.
    """
    path = _find(name_or_file, scenario)
    return Profile(path.stem, name_or_file, path, read_toml(path))


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
    """``[tool.harness]``; values of type ``Any`` are checked where they are used."""

    bench: Any = None
    metrics: Any = None
    proxies: Any = None
    contract: Any = None


@dataclass(frozen=True)
class Project:
    """What holds for every run below a folder."""

    guard_rails: GuardRails = field(default_factory=GuardRails)
    metrics: tuple[MetricsSource, ...] = ()
    proxies: tuple[PlannedProxy, ...] = ()
    contract: tuple[ConfigSource, Any, Path] | None = None
    """What it states of a contract, not checked yet: where, the value, and the folder that files are relative to."""

    def allowed_hosts(
        self, typed: Sequence[str], problems: Problems, of_profile: Sequence[AllowedHost] = ()
    ) -> AllowedHosts:
        """The hosts that the project, the profile and ``--allow-host`` allow. Adds what is wrong to ``problems``."""
        source = ConfigSource({"allowed_hosts": typed}, {(): Option("allow_host")})
        guard_rails = checked(GuardRails, source.data, (), source, problems) or GuardRails()
        return AllowedHosts(self.guard_rails.allowed_hosts, of_profile, guard_rails.allowed_hosts)


def load_project(folder: Path, problems: Problems) -> Project:
    """The table of the nearest ``pyproject.toml`` that has one, in ``folder`` or above; else the defaults.

    Problems of its keys go to ``problems``. Raises :class:`HarnessError` if the file is not TOML, or ``tool`` no table.
    """
    for above in (folder, *folder.parents):
        path = above / "pyproject.toml"
        if path.is_file():
            source = _project_table(path)
            if source is not None:
                keys = checked(ProjectKeys, source.data[""], (), source, problems)
                if keys is None:
                    return Project()
                return Project(
                    keys,
                    tuple(read_sources(source, keys.metrics, problems)),
                    _proxies(source, keys.proxies, problems),
                    None if keys.contract is None else (source, keys.contract, above),
                )
    return Project()


def _proxies(source: ConfigSource, tables: Any, problems: Problems) -> tuple[PlannedProxy, ...]:
    if tables is None:
        return ()
    from harness.plan.proxies import read_proxies  # only here: few projects have any

    return tuple(read_proxies(source, tables, problems))


def _project_table(path: Path) -> ConfigSource | None:
    """The table, unchecked; None if the file has none or cannot be read."""
    try:
        content = path.read_bytes()
    except OSError:
        return None  # someone else's file in a folder above
    source = parse_toml(path, content)
    tool = source.data.get("tool", {})
    if not isinstance(tool, dict):  # Locust reads it, too, and its error would name neither file nor key
        raise HarnessError("tool-not-a-table", where=shown(source.where(("tool",))))
    table = tool.get("harness")
    return None if table is None else ConfigSource({"": table}, source.locations_below(_TABLE))
