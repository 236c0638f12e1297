"""Checks gates against the phases there are: those of a plan, or others to judge a recorded run by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.messages import Option, alternatives
from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.metrics_tables import check_series, with_sources
from harness.plan.model import Gate, MetricsSource, Phase, RunPlan
from harness.plan.phases import KINDS, MEMORY_PASS, phase_kind
from harness.plan.problems import Problems, Where
from harness.plan.profile import load_profile
from harness.plan.settings import GateTable
from harness.plan.validation_errors import checked

_ALL_KINDS = (*KINDS, MEMORY_PASS)


def read_gates(
    source: ConfigSource,
    kinds: Mapping[str, Any],
    problems: Problems,
    metrics: Sequence[MetricsSource],
) -> list[Gate]:
    """The gates of ``source``; ``kinds`` maps each phase to its kind. Adds what is wrong to ``problems``.

    ``metrics`` are the sources that gates may name series of.
    """
    gates: list[Gate] = []
    for index, table in enumerate(source.data["gate"]):
        path = ("gate", index)
        phase = table.get("phase")
        gate = checked(GateTable, table, path, source, problems)
        of_steps = gate is not None and gate.require.measures.needs == "steps"
        if isinstance(phase, str):
            _check_gated_phase(phase, kinds, source.where((*path, "phase")), problems)
        elif (
            phase is None
            and kinds
            and all(kind in _ALL_KINDS and not _reads(kind, of_steps) for kind in kinds.values())
        ):
            problems.add(
                "gate-without-measured-phase",
                where=source.where(path),
                measured=[kind for kind in KINDS if _reads(kind, of_steps)],
                known=list(kinds),
            )
        if gate is not None:
            require = gate.require
            if require.series is not None:
                check_series(require.series, metrics, source.where((*path, "require")), problems)
                require = require.model_copy(update={"metric": str(with_sources(require.series, metrics))})
            gates.append(Gate(comparison=require, phase=gate.phase, endpoint=gate.endpoint))
    return gates


def reads(gate: Gate, phase: Phase) -> bool:
    """Whether a gate reads a phase: the one it names, else each that is measured, or has steps if it needs them."""
    if gate.phase is not None:
        return gate.phase == phase.name
    return phase_kind(phase.kind).by_steps if gate.comparison.measures.needs == "steps" else phase.measured


def _reads(kind: object, of_steps: bool) -> bool:
    found = phase_kind(str(kind)) if kind in _ALL_KINDS else None
    return found is not None and (found.by_steps if of_steps else found.measured)


def _check_gated_phase(phase: str, kinds: Mapping[str, Any], where: Where, problems: Problems) -> None:
    readable = [name for name, kind in kinds.items() if kind not in KINDS or phase_kind(kind).has_load]
    if phase == MEMORY_PASS:
        problems.add("gate-on-diagnose", where=where, known=readable)
    elif phase not in kinds:
        if any(kind not in _ALL_KINDS for kind in kinds.values()):
            return  # it may be the phase whose kind is reported already: a missing name defaults to the kind
        problems.add("gate-unknown-phase", where=where, phase=phase, alternatives=alternatives(phase, readable))
    elif phase not in readable:
        problems.add("gate-on-phase-without-load", where=where, phase=phase, known=readable)


def requested_gates(
    plan: RunPlan,
    *,
    require: Sequence[str] = (),
    phase: str | None = None,
    endpoint: str | None = None,
    profile: str | None = None,
) -> list[Gate] | None:
    """Other gates for a recorded run: those of ``require``, or of a profile; None where neither is given.

    Each of ``require`` reads ``phase`` and ``endpoint``. Raises ``ManyProblemsError``.
    """
    if profile is not None:
        source = load_profile(profile, scenario=plan.scenario.path).source
        source.data.setdefault("gate", [])
    elif require:
        reads = {key: value for key, value in (("phase", phase), ("endpoint", endpoint)) if value is not None}
        options: dict[KeyPath, Where] = {
            ("gate", index, key): Option(key) for index in range(len(require)) for key in ("require", *reads)
        }
        source = ConfigSource({"gate": [{"require": text, **reads} for text in require]}, options)
    else:
        return None
    problems = Problems()
    gates = read_gates(source, {planned.name: planned.kind for planned in plan.phases}, problems, plan.sampling.metrics)
    problems.raise_if_any()
    return gates
