"""CPU and memory profiles of the target as flame graphs."""

from __future__ import annotations

from typing import Any

from harness.analysis.attribution import earlier_profiles
from harness.analysis.functions import functions_of, parse_frame
from harness.analysis.measurement import measure
from harness.analysis.sampled_spans import sampled_spans
from harness.messages import Message
from harness.plan.duet import A
from harness.plan.model.target import AttachedTarget
from harness.plan.phases import phase_kind
from harness.record.measurement import FunctionSamples
from harness.record.plain_text import plain
from harness.recording.run import PhaseRecord, RunRecording
from harness.report.contents import ProfileStacks, Report, Section
from harness.report.flame_tree import flame_tree
from harness.report.sections.verdict import main_phase

_MEMORY_KINDS = {
    "memory-peak": "at the peak of memory",
    "memory-leaked": "never freed (leaked)",
    "memory-allocated": "allocated",
}


class Flames(Section):
    id = "flames"
    title = "Flame graphs"
    template = "flames.html"
    scripts = ("profiles.js", "flamegraph.js", "flamebox.js", "flames.js")

    def values(self, report: Report) -> dict[str, Any]:
        flames = flame_data(report)
        memory = [
            (index, f"{_MEMORY_KINDS[flame['kind']]} · {flame['phase']}")
            for index, flame in enumerate(flames)
            if flame["kind"] in _MEMORY_KINDS
        ]
        main, notes = main_phase(report.summary), report.recording.profiles.notes
        return {
            "data": flames,
            "cpu": [(index, flame["phase"]) for index, flame in enumerate(flames) if flame["kind"] == "cpu"],
            "threads": [(index, flame["phase"]) for index, flame in enumerate(flames) if flame["kind"] == "threads"],
            "memory": memory,
            "part": "Phase" if report.run else "Benchmark",
            "main": main.name if main else None,
            "no_cpu": _missing(report, cpu=True) or _why_no_cpu(report),
            "no_memory": _missing(report, cpu=False) or _why_no_memory(report),
            "cpu_notes": [str(note) for note in notes if not _is_of_memory(note)],
            "memory_notes": [str(note) for note in notes if _is_of_memory(note)],
        }


def _is_of_memory(note: Message) -> bool:
    return note.code.startswith("memory-") or note.params.get("sampler") == "MemorySampler"


def _missing(report: Report, *, cpu: bool) -> str:
    files = [profile.path for profile in report.missing if (profile.kind not in _MEMORY_KINDS) == cpu]
    return f"Missing from the run folder: {', '.join(files)}." if files else ""


def _why_no_cpu(report: Report) -> str:
    if report.run is not None:
        return "CPU sampling was switched off for this run." if report.run.plan.sampling.cpu is None else ""
    return "" if report.suite and report.suite.plan.profile else "Run `harness bench --profile` to take one."


def _why_no_memory(report: Report) -> str:
    if report.run is None:
        return "" if report.suite and report.suite.plan.memory else "Run `harness bench --memory` to take one."
    if report.run.plan.sampling.memory is None:
        return "Memory sampling was switched off for this run."
    if isinstance(report.run.plan.target, AttachedTarget):
        return "Memory can only be profiled in a target that the harness starts."
    return ""


def flame_data(report: Report) -> list[dict[str, Any]]:
    """One entry for each profile that holds samples, as ``assets/profiles.js`` reads it.

    ``names`` are functions, ``own`` the indices of those in the target's own code, ``tree`` is described at
    :class:`~harness.report.flame_tree.FlameTree`, and ``functions`` holds for each name the weight on top of the stack
    and anywhere on it. ``spans`` are ``[start_s, end_s, requests, CPU seconds]``: any part of a phase can be looked at
    alone. If the baseline has a CPU profile of the phase, ``base`` holds its ``functions``. ``run_ms`` and its ``ms``
    are the CPU time a request that one sample stands for: two profiles are compared by it, as shares alone mislead (see
    :mod:`harness.analysis.attribution`).
    """
    flames = []
    for entry in report.profiles:
        if not any(stack.weight for stack in entry.stacks):
            continue
        data = _flame(entry, report.profiled(entry.profile))
        place = (entry.profile.phase, entry.profile.variant)
        run = report.run
        record = run and next((record for record in run.phases if (record.index, record.variant) == place), None)
        if run and record and entry.profile.unit == "samples":
            data |= _by_requests(entry, data["names"], run, record)
        flames.append(data)
    return flames


def _flame(entry: ProfileStacks, label: str) -> dict[str, Any]:
    profile = entry.profile
    by_span = entry.by_span
    flame = (
        flame_tree([found.stack for found in by_span], [found.span for found in by_span])
        if by_span
        else flame_tree(entry.stacks)
    )
    functions = functions_of(entry.stacks)
    own = set(profile.own)
    return {
        "kind": profile.kind,
        "phase": plain(label),
        "unit": profile.unit,
        "duration_s": profile.duration_s,
        "rate_hz": profile.rate_hz,
        "cores": profile.cores,
        "names": [plain(name) for name in flame.names],
        "own": [index for index, name in enumerate(flame.names) if parse_frame(name).file in own],
        "functions": [_weights(functions.get(name)) for name in flame.names],
        "tree": flame.tree,
        "spans": [],
    }


def _by_requests(entry: ProfileStacks, names: list[str], run: RunRecording, record: PhaseRecord) -> dict[str, Any]:
    """What :func:`flame_data` holds of requests and of the baseline; nothing that cannot be divided by requests."""
    spans = sampled_spans(record, entry.profile, entry.by_span) if entry.by_span else []
    found: dict[str, Any] = {
        "held": phase_kind(record.plan.kind).one_level,
        "spans": [
            [round(span.start_s, 2), round(span.end_s, 2), round(span.requests, 1), round(span.cpu_s, 4)]
            for span in spans
        ],
    }
    kind = entry.profile.kind
    measured = measure(run).phase(record.plan.name, record.variant)
    now = measured.profile_of(kind) if measured else None
    if measured is None or now is None or not now.requests:
        return found
    found["run_ms"] = now.sample_ms
    before = None if record.variant == A else next(iter(earlier_profiles(run, measured, kind).values()), None)
    if before is not None:
        found["base"] = {
            "where": "build A" if record.variant else "the baseline",
            "samples": before.samples,
            "ms": before.sample_ms,
            "functions": [_weights(before.functions.get(name)) for name in names],
        }
    return found


def _weights(samples: FunctionSamples | None) -> list[int]:
    return [samples.own, samples.total] if samples else [0, 0]
