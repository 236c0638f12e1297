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


def read_gates(written: ConfigSource, kinds: Mapping[str, Any], faults: Problems) -> list[Gate]:
    """The gates of ``written``; ``kinds`` maps the name of each phase to its kind. What is wrong goes to ``faults``."""
    gates: list[Gate] = []
    for index, table in enumerate(written.data["gate"]):
        path = ("gate", index)
        phase = table.get("phase")
        if isinstance(phase, str):
            _check_gated_phase(phase, kinds, written.where((*path, "phase")), faults)
        elif phase is None and kinds and not any(kind in _MEASURED_KINDS for kind in kinds.values()):
            faults.add(
                "without a phase it reads steady, spike and shape phases, and there is none",
                where=written.where(path),
                hint=f"name the phase it should read: {listed(kinds)}",
            )
        gate = checked(GateTable, table, path, written, faults)
        if gate is not None:
            gates.append(Gate(comparison=gate.require, phase=gate.phase, endpoint=gate.endpoint))
    return gates


def _check_gated_phase(phase: str, kinds: Mapping[str, Any], where: str, faults: Problems) -> None:
    readable = [name for name, kind in kinds.items() if kind != "pause"]
    if phase == DIAGNOSE:
        faults.add(
            "the diagnose pass runs under memray, its times mean nothing",
            where=where,
            hint=f"known: {listed(readable)}",
        )
    elif phase not in kinds:
        faults.add(f'there is no phase "{phase}"', where=where, hint=suggestion(phase, readable))
    elif phase not in readable:
        faults.add(f'"{phase}" is a pause: it has nothing to read', where=where, hint=f"known: {listed(readable)}")


def gates_given(
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
        written = load_profile(profile, scenario=plan.scenario.path).written
        written.data.setdefault("gate", [])
    elif require:
        reads = {key: value for key, value in (("phase", phase), ("endpoint", endpoint)) if value is not None}
        options: dict[KeyPath, str] = {
            ("gate", index, key): f"--{key}" for index in range(len(require)) for key in ("require", *reads)
        }
        written = ConfigSource({"gate": [{"require": text, **reads} for text in require]}, options)
    else:
        return None
    faults = Problems()
    gates = read_gates(written, {planned.name: planned.kind for planned in plan.phases}, faults)
    faults.raise_if_any()
    return gates
