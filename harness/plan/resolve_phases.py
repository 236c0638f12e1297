"""Makes the phases of a plan of the tables that a user wrote: their names, their checks, their levels."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import chain, count
from typing import Any

from harness.errors import InvalidValue
from harness.messages import alternatives
from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.description import ScenarioDescription
from harness.plan.model.phase import Phase
from harness.plan.phases import KINDS, MEMORY_PASS, phase_kind
from harness.plan.phases.base import NO_LOAD, PhaseConfig
from harness.plan.problems import Problems, Where, shown
from harness.plan.validation_errors import checked

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def phase_names(source: ConfigSource, problems: Problems) -> list[str]:
    """Each phase's name: its own, else its kind, with a number from the second on."""
    names: list[str] = []
    locations: dict[str, Where] = {}
    for index, table in enumerate(source.data["phase"]):
        name, where = table.get("name"), source.where(("phase", index, "name"))
        if name is None:
            names.append("")
            continue
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            _reject_name(name, where, problems)
        elif name == MEMORY_PASS:
            problems.add("phase-name-reserved", where=where, name=name)
        elif name in locations:
            problems.add("phase-name-twice", where=where, name=name, other=shown(locations[name]))
        names.append(str(name))
        locations.setdefault(str(name), where)
    taken = set(names)
    for index, table in enumerate(source.data["phase"]):
        if not names[index]:
            kind = str(table.get("kind", "phase"))
            tries = chain([kind], (f"{kind}-{number}" for number in count(2)))
            names[index] = next(name for name in tries if name not in taken)
            taken.add(names[index])
    return names


def _reject_name(name: object, where: Where, problems: Problems) -> None:
    likely = re.sub(r"[^A-Za-z0-9_]+", "-", str(name)).strip("-")
    if _NAME.fullmatch(likely):
        problems.add("phase-name-misspelled", where=where, name=name, meant=likely)
    else:
        problems.add("phase-name-invalid", where=where, name=name)


def resolve_phases(
    source: ConfigSource, names: list[str], description: ScenarioDescription, problems: Problems
) -> list[Phase]:
    tables = source.data["phase"]
    if not tables and not len(problems):
        problems.add("no-phases", where=source.where(("phase",)))
    configs = [_phase_config(source, index, name, description, problems) for index, name in enumerate(names)]
    phases: list[Phase] = []
    level = NO_LOAD
    for index, config in enumerate(configs):
        if config is None:
            break  # the levels of later phases are not known; their own keys are checked already
        try:
            phases.append(config.resolve(level))
        except InvalidValue as error:
            path: KeyPath = ("phase", index, error.key) if error.key else ("phase", index)
            problems.add_invalid(error, where=source.where(path))
            break
        level = config.level_after(phases[-1])
    return phases


def _phase_config(
    source: ConfigSource, index: int, name: str, description: ScenarioDescription, problems: Problems
) -> PhaseConfig | None:
    """The checked keys of one phase; None where there are problems."""
    table: dict[str, Any] = {**source.data["phase"][index], "name": name}
    path = ("phase", index)
    kind = table.pop("kind", None)
    if kind not in KINDS:
        _reject_kind(kind, table, source.where((*path, "kind")), problems)
        return None
    before = len(problems)
    model = phase_kind(kind)
    for error in model.problems(table, description):
        problems.add_invalid(error, where=source.where((*path, error.key) if error.key else path))
    config = checked(model, table, path, source, problems)
    return config if len(problems) == before else None


def _reject_kind(kind: object, table: Iterable[str], where: Where, problems: Problems) -> None:
    if kind is None:
        misspelled = difflib.get_close_matches("kind", table, n=1)
        if misspelled:
            problems.add("phase-kind-misspelled", where=where, word=misspelled[0])
            return
        problems.add("phase-kind-missing", where=where, known=KINDS)
        return
    synonyms = {word: known for known in KINDS for word in phase_kind(known).also_called}
    problems.add("phase-unknown-kind", where=where, kind=kind, alternatives=alternatives(str(kind), KINDS, synonyms))
