"""Checks gates against the phases there are: those of a plan, or others to judge a recorded run by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.messages import Option, alternatives
from harness.metrics import RUN_METRICS, synonyms
from harness.metrics.named import metric_name
from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.metrics_tables import check_series, with_sources
from harness.plan.model.phase import Phase
from harness.plan.model.run import Gate, RunPlan
from harness.plan.model.sampling import MetricsSource
from harness.plan.phases import KINDS, MEMORY_PASS, phase_kind
from harness.plan.problems import Problems, Where
from harness.plan.profile import load_profile
from harness.plan.settings import GateTable
from harness.plan.validation_errors import checked

_FIRST_WORD = re.compile(r"\s*([a-zA-Z_]\w*)\b(?!\s*\()")
_EQUATION = re.compile(r"\s*([a-zA-Z_]\w*)\s*==?\s*[\d.]+\s*$")
_ALL_KINDS = (*KINDS, MEMORY_PASS)


def read_gates(
    source: ConfigSource,
    kinds: Mapping[str, Any],
    problems: Problems,
    metrics: Sequence[MetricsSource],
    figures: Sequence[str] | None,
    faults: Mapping[str, str | None],
) -> list[Gate]:
    """The gates of ``source``; ``kinds`` maps each phase to its kind. Adds what is wrong to ``problems``.

    ``metrics`` are the sources that gates may name series of, ``figures`` the words that may be figures of ``verify``;
    None: the scenario has no ``verify``. ``faults`` maps each fault to its phase, where that is known.
    """
    gates: list[Gate] = []
    for index, table in enumerate(source.data["gate"]):
        path = ("gate", index)
        if _has_unknown_figure(table, figures, source.where((*path, "require")), problems):
            continue
        gate = checked(GateTable, _with_figures_named(table, figures or ()), path, source, problems)
        _check_what_it_reads(gate, table.get("phase"), kinds, figures, source, path, problems)
        if gate is None:
            continue
        require = gate.require
        if require.series is not None:
            check_series(require.series, metrics, source.where((*path, "require")), problems)
            require = require.model_copy(update={"metric": str(with_sources(require.series, metrics))})
        phase = gate.phase
        if require.fault is not None:
            _check_fault(require.fault, phase, faults, source, path, problems)
            phase = faults.get(require.fault, phase)
        require = require.model_copy(update={"source": str(table["require"]).strip()})
        gates.append(Gate(comparison=require, phase=phase, endpoint=gate.endpoint))
    return gates


def _has_unknown_figure(
    table: Mapping[str, Any], figures: Sequence[str] | None, where: Where, problems: Problems
) -> bool:
    unknown = _unknown_figure(table.get("require"), figures or ())
    if unknown is None:
        return False
    if figures is None:
        problems.add("gate-without-verify", where=where, metric=unknown)
    else:
        problems.add("gate-unknown-figure", where=where, word=unknown, alternatives=alternatives(unknown, figures))
    return True


def _check_what_it_reads(
    gate: GateTable | None,
    phase: object,
    kinds: Mapping[str, Any],
    figures: Sequence[str] | None,
    source: ConfigSource,
    path: KeyPath,
    problems: Problems,
) -> None:
    """``gate`` is None if it is wrong apart from its phase; ``phase`` is what it states in any case."""
    needs = None if gate is None else gate.require.measures.needs
    if gate is not None and needs == "verify":
        metric = gate.require.metric
        if figures is None:
            problems.add("gate-without-verify", where=source.where((*path, "require")), metric=metric)
        elif phase is not None:
            problems.add("gate-figure-in-phase", where=source.where((*path, "phase")), metric=metric)
    elif isinstance(phase, str):
        _check_gated_phase(phase, kinds, source.where((*path, "phase")), problems)
    elif phase is None and (gate is None or gate.require.fault is None):  # else it reads the phase of its fault
        _check_measured_phases(kinds, needs == "steps", source.where(path), problems)


def _check_measured_phases(kinds: Mapping[str, Any], of_steps: bool, where: Where, problems: Problems) -> None:
    if kinds and all(kind in _ALL_KINDS and not _reads(kind, of_steps) for kind in kinds.values()):
        measured = [kind for kind in KINDS if _reads(kind, of_steps)]
        problems.add("gate-without-measured-phase", where=where, measured=measured, known=list(kinds))


def stated_faults(source: ConfigSource, phases: Sequence[str]) -> dict[str, str | None]:
    """The name and phase of each fault that ``source`` states, right or wrong: gates may name it."""
    only = phases[0] if len(phases) == 1 else None
    named = ((table.get("name", table.get("kind")), table.get("phase", only)) for table in source.data["fault"])
    return {str(name).strip(): phase if isinstance(phase, str) else None for name, phase in named}


def _check_fault(
    fault: str,
    phase: str | None,
    faults: Mapping[str, str | None],
    source: ConfigSource,
    path: KeyPath,
    problems: Problems,
) -> None:
    if fault not in faults:
        known = alternatives(fault, list(faults))
        problems.add("gate-unknown-fault", where=source.where((*path, "require")), fault=fault, alternatives=known)
    elif phase is not None and faults[fault] not in (None, phase):
        where = source.where((*path, "phase"))
        problems.add("gate-on-fault-of-other-phase", where=where, fault=fault, phase=faults[fault])


def _unknown_figure(require: object, figures: Sequence[str]) -> str | None:
    """The word of ``lost_writes = 0`` if it is neither a metric nor a figure of ``verify``: others equal no number."""
    found = _EQUATION.match(require) if isinstance(require, str) else None
    word = found[1] if found is not None else None
    known = {*figures, *RUN_METRICS, *synonyms(RUN_METRICS)}
    return None if word is None or not known.isdisjoint((word, word.lower())) else word


def _with_figures_named(table: Mapping[str, Any], figures: Sequence[str]) -> Mapping[str, Any]:
    """A gate's table in which ``lost_writes = 0``, of a figure of ``verify``, is ``verify("lost_writes") = 0``."""
    require = table.get("require")
    found = _FIRST_WORD.match(require) if isinstance(require, str) else None
    if not isinstance(require, str) or found is None or found[1] not in figures or found[1].lower() in RUN_METRICS:
        return table
    return {**table, "require": metric_name("verify", found[1]) + require[found.end() :]}


def reads(gate: Gate, phase: Phase) -> bool:
    """Whether a gate reads a phase: the one it names, else each that is measured, or has steps if it needs them."""
    if gate.comparison.measures.needs == "verify":
        return False
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
    kinds = {planned.name: planned.kind for planned in plan.phases}
    faults: dict[str, str | None] = {fault.name: fault.phase for fault in plan.faults}
    gates = read_gates(source, kinds, problems, plan.sampling.metrics, plan.scenario.known_figures, faults)
    problems.raise_if_any()
    return gates
