"""The gates a user wrote, checked against the phases there are: of a plan, or for judging a run folder again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.model import Gate, RunPlan
from harness.plan.phases.diagnose import NAME as DIAGNOSE
from harness.plan.problems import Problems, listed, suggestion
from harness.plan.profile import load_profile
from harness.plan.settings import GateTable
from harness.plan.validation_errors import checked

_MEASURED_KINDS = ("steady", "spike", "shape")


def read_gates(source: ConfigSource, kinds: Mapping[str, Any], problems: Problems) -> list[Gate]:
    """The gates of ``source``; ``kinds`` maps each phase to its kind. Adds what is wrong to ``problems``."""
    gates: list[Gate] = []
    for index, table in enumerate(source.data["gate"]):
        path = ("gate", index)
        phase = table.get("phase")
        if isinstance(phase, str):
            _check_gated_phase(phase, kinds, source.where((*path, "phase")), problems)
        elif phase is None and kinds and not any(kind in _MEASURED_KINDS for kind in kinds.values()):
            problems.add(
                "without a phase it reads steady, spike and shape phases, and there is none",
                where=source.where(path),
                hint=f"name the phase it should read: {listed(kinds)}",
            )
        gate = checked(GateTable, table, path, source, problems)
        if gate is not None:
            gates.append(Gate(comparison=gate.require, phase=gate.phase, endpoint=gate.endpoint))
    return gates


def _check_gated_phase(phase: str, kinds: Mapping[str, Any], where: str, problems: Problems) -> None:
    readable = [name for name, kind in kinds.items() if kind != "pause"]
    if phase == DIAGNOSE:
        problems.add(
            "the diagnose pass runs under memray, its times mean nothing",
            where=where,
            hint=f"known: {listed(readable)}",
        )
    elif phase not in kinds:
        problems.add(f'there is no phase "{phase}"', where=where, hint=suggestion(phase, readable))
    elif phase not in readable:
        problems.add(f'"{phase}" is a pause: it has nothing to read', where=where, hint=f"known: {listed(readable)}")


def requested_gates(
    plan: RunPlan,
    *,
    require: Sequence[str] = (),
    phase: str | None = None,
    endpoint: str | None = None,
    profile: str | None = None,
) -> list[Gate] | None:
    """Other gates for a run that has been made: those of ``require``, or of a profile; None where neither is given.

    ``phase`` and ``endpoint`` are what each of ``require`` reads. Raises ``ManyProblemsError``.
    """
    if profile is not None:
        source = load_profile(profile, scenario=plan.scenario.path).source
        source.data.setdefault("gate", [])
    elif require:
        reads = {key: value for key, value in (("phase", phase), ("endpoint", endpoint)) if value is not None}
        options: dict[KeyPath, str] = {
            ("gate", index, key): f"--{key}" for index in range(len(require)) for key in ("require", *reads)
        }
        source = ConfigSource({"gate": [{"require": text, **reads} for text in require]}, options)
    else:
        return None
    problems = Problems()
    gates = read_gates(source, {planned.name: planned.kind for planned in plan.phases}, problems)
    problems.raise_if_any()
    return gates
