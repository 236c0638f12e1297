"""Merges all that a user states for a run: scenario, profile, call, quick run, overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.plan.config_source import MOST_TABLES, ConfigSource, default_phases, from_scenario
from harness.plan.description import ScenarioDescription
from harness.plan.overrides import Override, apply_override
from harness.plan.problems import Problems
from harness.plan.profile import Profile
from harness.plan.resolve_phases import phase_names
from harness.plan.settings import Settings

_COMPLETED = ("sampling", "target", "contract")
"""Tables of a scenario of which a profile may change single keys."""


@dataclass(frozen=True)
class Stated:
    """``source`` is the tree, with default phases if the user stated none."""

    source: ConfigSource
    has_phases: bool
    """Whether the user stated any."""
    has_gates: bool


def compose(
    description: ScenarioDescription,
    profile: Profile | None,
    call: ConfigSource,
    overrides: Sequence[Override],
    problems: Problems,
) -> Stated:
    """What is nearer to the user wins: ``overrides``, then ``call``, then the profile, then the scenario."""
    source = _layered(description, profile, call, problems)
    has_phases, has_gates = (source.data.get(key) is not None for key in ("phase", "gate"))
    if not has_phases:
        source.take(default_phases(has_shape=description.has_shape), ("phase",))
    _require_tables(source, problems)
    for override in overrides:
        apply_override(override, source, phase_names(source, Problems()), list(Settings.model_fields), problems)
    return Stated(source, has_phases, has_gates)


def _layered(
    description: ScenarioDescription, profile: Profile | None, call: ConfigSource, problems: Problems
) -> ConfigSource:
    source = from_scenario(description, problems)
    for layer in (source, profile.source if profile is not None else ConfigSource()):
        target = layer.data.get("target")
        if isinstance(target, str):
            layer.data["target"] = {"url" if "://" in target else "command": target}
    if profile is not None:
        for key, value in profile.source.data.items():
            if _completes(source.data.get(key), value) and key in _COMPLETED:
                for below in value:
                    source.take(profile.source, (key, below))
            else:
                source.take(profile.source, (key,))
    for key in call.data:
        source.take(call, (key,))
    return source


def _completes(value: object, later: object) -> bool:
    """Whether ``later`` changes keys of the table ``value``. A table that names another target replaces it."""
    return isinstance(value, dict) and isinstance(later, dict) and not {"url", "command"} & later.keys()


def _require_tables(source: ConfigSource, problems: Problems) -> None:
    for key in ("phase", "gate", "fault"):
        value = source.data.setdefault(key, [])
        if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
            problems.add("not-a-list-of-tables", where=source.where((key,)), key=key)
            source.data[key] = []
        elif len(value) > MOST_TABLES:
            problems.add("too-many-tables", where=source.where((key,)), key=key, count=len(value), most=MOST_TABLES)
            source.data[key] = []
