"""CPU and memory profiles of the target as flame graphs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from harness.analysis.attribution import earlier_profiles
from harness.analysis.functions import functions_of, parse_frame
from harness.analysis.measurement import measure
from harness.plan.duet import A
from harness.plan.model import AttachedTarget
from harness.record.measurement import FunctionSamples
from harness.record.plain_text import plain
from harness.record.profiles import ProfileKind, Stack
from harness.recording.run import PhaseRecord, RunRecording
from harness.report.contents import ProfileStacks, Report, Section
from harness.report.sections.verdict import main_phase

_MEMORY_KINDS = {
    "memory-peak": "at the peak of memory",
    "memory-leaked": "never freed (leaked)",
    "memory-allocated": "allocated",
}

SMALLEST_SHARE = 0.0005
"""Frames below this share of their profile are merged into one ``…``: they are less than a pixel of 1,200."""
DEEPEST = 200
"""Deeper frames are cut off: they come from runaway recursion."""
_ROOT = "all"
_MERGED = "…"


class Flames(Section):
    id = "flames"
    title = "Flame graphs"
    template = "flames.html"
    scripts = ("flamegraph.js", "flames.js")

    def values(self, report: Report) -> dict[str, Any]:
        flames = flame_data(report)
        memory = [
            (index, f"{_MEMORY_KINDS[flame['kind']]} · {flame['phase']}")
            for index, flame in enumerate(flames)
            if flame["kind"] in _MEMORY_KINDS
        ]
        main = main_phase(report.summary)
        return {
            "data": flames,
            "cpu": [(index, flame["phase"]) for index, flame in enumerate(flames) if flame["kind"] == "cpu"],
            "threads": [(index, flame["phase"]) for index, flame in enumerate(flames) if flame["kind"] == "threads"],
            "memory": memory,
            "part": "Phase" if report.run else "Benchmark",
            "main": main.name if main else None,
            "no_cpu": _missing(report, cpu=True) or _why_no_cpu(report),
            "no_memory": _missing(report, cpu=False) or _why_no_memory(report),
            "notes": [str(note) for note in report.recording.profiles.notes],
        }


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


@dataclass(slots=True)
class _Node:
    weight: int = 0
    lines: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    children: dict[str, _Node] = field(default_factory=dict)


def flame_data(report: Report) -> list[dict[str, Any]]:
    """One entry for each profile that holds samples, as ``assets/flamegraph.js`` reads it.

    ``names`` are functions, ``tree`` is described at :func:`_tree`, and ``functions`` holds for each name the weight on
    top of the stack and anywhere on it. If the baseline has a CPU profile of the phase, ``base`` holds its
    ``functions``, and ``run_ms`` and ``base_ms`` are the CPU time a request that one sample stands for: the two are
    compared by it, as shares alone mislead (see :mod:`harness.analysis.attribution`).
    """
    run = report.run
    flames = []
    for entry in report.profiles:
        if not any(stack.weight for stack in entry.stacks):
            continue
        data = _flame(entry, report.profiled(entry.profile))
        place = (entry.profile.phase, entry.profile.variant)
        record = run and next((record for record in run.phases if (record.index, record.variant) == place), None)
        if run and record and entry.profile.kind not in _MEMORY_KINDS:
            data |= _compared(data["names"], run, record, entry.profile.kind)
        flames.append(data)
    return flames


def _flame(entry: ProfileStacks, label: str) -> dict[str, Any]:
    profile = entry.profile
    root = _Node()
    for stack in entry.stacks:
        _add(root, stack)
    names: dict[str, int] = {}
    tree = _tree(root, max(1.0, root.weight * SMALLEST_SHARE), names)
    functions = functions_of(entry.stacks)
    return {
        "kind": profile.kind,
        "phase": plain(label),
        "unit": profile.unit,
        "duration_s": profile.duration_s,
        "rate_hz": profile.rate_hz,
        "cores": profile.cores,
        "names": [plain(name) for name in names],
        "functions": [_weights(functions.get(name)) for name in names],
        "tree": tree,
    }


def _compared(names: list[str], run: RunRecording, record: PhaseRecord, kind: ProfileKind) -> dict[str, Any]:
    """What :func:`flame_data` holds of the baseline; nothing if either side cannot be divided by its requests."""
    measured = measure(run).phase(record.plan.name, record.variant)
    now = measured.profile_of(kind) if measured else None
    if measured is None or now is None or not now.requests or record.variant == A:
        return {}
    before = next(iter(earlier_profiles(run, measured, kind).values()), None)
    if before is None:
        return {}
    return {
        "base": {
            "where": "in build A" if record.variant else "in the baseline",
            "samples": before.samples,
            "functions": [_weights(before.functions.get(name)) for name in names],
        },
        "run_ms": now.sample_ms,
        "base_ms": before.sample_ms,
    }


def _weights(samples: FunctionSamples | None) -> list[int]:
    return [samples.own, samples.total] if samples else [0, 0]


def _add(root: _Node, stack: Stack) -> None:
    """Frames of one function are one node, whatever their lines."""
    root.weight += stack.weight
    node = root
    for text in stack.frames[:DEEPEST]:
        frame = parse_frame(text)
        node = node.children.setdefault(frame.key, _Node())
        node.weight += stack.weight
        node.lines[frame.line] += stack.weight


def _tree(node: _Node, smallest: float, names: dict[str, int], name: str = _ROOT) -> list[Any]:
    """``[index of the name, weight, heaviest line or 0, [children]]``; children by name, so that phases look alike."""
    large = [(key, child) for key, child in sorted(node.children.items()) if child.weight >= smallest]
    children = [_tree(child, smallest, names, key) for key, child in large]
    merged = sum(child.weight for child in node.children.values()) - sum(child.weight for _, child in large)
    if merged >= smallest:
        children.append([names.setdefault(_MERGED, len(names)), merged, 0, []])
    line = max(node.lines, key=lambda line: node.lines[line], default=0)
    return [names.setdefault(name, len(names)), node.weight, line, children]
