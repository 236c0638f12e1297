"""Makes the plan of a bench from the command line and pyproject.toml.

``[tool.harness.bench]`` has the project's ``paths``, which pytest runs where the command line names no tests, and
its ``gates``. Gates on the command line (``--gate``, ``--gates FILE``) replace those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictStr

from harness.errors import HarnessError
from harness.messages import Option
from harness.plan.bench import BenchGate, BenchPlan
from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.expression import parse_bench_gate
from harness.plan.problems import Problems, Where, shown
from harness.plan.profile import load_project
from harness.plan.toml_file import read_toml
from harness.plan.utf8 import require_utf8
from harness.plan.validation_errors import checked
from harness.record.redaction import add_secret_names

_TABLE = ("tool", "harness", "bench")
_Requirement = Annotated[BenchGate, BeforeValidator(parse_bench_gate)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _ProjectTable(_Table):
    """``[tool.harness.bench]`` of pyproject.toml."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "gate": "gates", "require": "gates", "path": "paths", "testpaths": "paths", "tests": "paths",
    }  # fmt: skip

    gates: list[_Requirement] = []
    paths: list[StrictStr] = []


class _GateTable(_Table):
    synonyms: ClassVar[Mapping[str, str]] = {"requires": "require", "expression": "require", "threshold": "require"}

    require: _Requirement


class _GatesFile(_Table):
    """A file of gates: ``[[gate]]`` tables, as in a profile."""

    synonyms: ClassVar[Mapping[str, str]] = {"gates": "gate", "thresholds": "gate"}

    description: StrictStr = ""
    gate: list[_GateTable] = []


def resolve_bench(
    arguments: Sequence[str],
    *,
    gates: Sequence[str] = (),
    gates_file: Path | None = None,
    profile: bool = False,
    memory: bool = False,
    folder: Path | None = None,
) -> BenchPlan:
    """The plan for running pytest with ``arguments`` in ``folder``, by default here. Raises ``HarnessError``."""
    folder = (folder or Path.cwd()).resolve()
    name, table = _project(folder)
    given = requested_bench_gates(gates, gates_file)
    problems = Problems()
    secret_names = load_project(folder, problems).guard_rails.secret_names
    problems.raise_if_any()
    add_secret_names(secret_names)
    plan = BenchPlan(
        suite=name,
        folder=str(folder),
        arguments=tuple(arguments),
        paths=tuple(table.paths),
        gates=tuple(table.gates if given is None else given),
        strict=given is not None,
        profile=profile,
        memory=memory,
        secret_names=secret_names,
    )
    return require_utf8(plan)


def requested_bench_gates(
    gates: Sequence[str],
    gates_file: Path | None,
    *,
    option: Option = Option("gate"),  # noqa: B008  (frozen)
) -> list[BenchGate] | None:
    """The gates given by ``option`` or in a file; None where there are none. Raises ``ManyProblemsError``."""
    if not gates and gates_file is None:
        return None
    problems = Problems()
    found: list[BenchGate] = []
    if gates_file is not None:
        file = read_toml(gates_file)
        listed = checked(_GatesFile, file.data, (), file, problems)
        found += [entry.require for entry in listed.gate] if listed else []
        if listed and not listed.gate:
            problems.add("gates-file-empty", where=file.where(()))
    texts: dict[KeyPath, Where] = {("gates", index): option for index in range(len(gates))}
    source = ConfigSource({"gates": list(gates)}, texts)
    table = checked(_ProjectTable, source.data, (), source, problems)
    problems.raise_if_any()
    return found + (table.gates if table else [])


def _project(folder: Path) -> tuple[str, _ProjectTable]:
    """The name of the project that ``folder`` belongs to, and its table, which is empty if there is none.

    Its paths are below the project's folder, wherever in it the bench is started.
    """
    file = next((location / "pyproject.toml" for location in (folder, *folder.parents) if _has_project(location)), None)
    if file is None:
        return folder.name or "root", _ProjectTable()
    source = read_toml(file)
    project = source.data.get("project", {})
    if not isinstance(project, dict):
        raise HarnessError("project-not-a-table", where=shown(source.where(("project",))))
    name = project.get("name") or file.parent.name
    table: object = source.data
    for key in _TABLE:
        table = table.get(key, {}) if isinstance(table, dict) else table
    problems = Problems()
    if not isinstance(table, dict):
        raise HarnessError("bench-not-a-table", where=shown(source.where(_TABLE)))
    below = ConfigSource(table, source.locations_below(_TABLE))
    settings = checked(_ProjectTable, table, (), below, problems)
    for index, path in enumerate(settings.paths if settings else ()):
        if not _is_there(file.parent / path.partition("::")[0]):
            # pytest would look for tests everywhere instead.
            problems.add("bench-path-not-found", where=below.where(("paths", index)), path=path)
    problems.raise_if_any()
    assert settings is not None
    if file.parent != folder:
        settings = settings.model_copy(update={"paths": [str(file.parent / path) for path in settings.paths]})
    return str(name), settings


def _is_there(location: Path) -> bool:
    """Whether a path or a pattern matches anything."""
    try:
        # A folder's own name may contain a pattern's characters.
        return location.exists() or any(Path(location.anchor).glob(str(location.relative_to(location.anchor))))
    except (ValueError, OSError):  # neither a pattern nor a possible file name
        return False


def _has_project(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file()
