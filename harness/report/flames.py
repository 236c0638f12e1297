"""Folded profiles as compact trees for the flame graph, with the baseline's shares beside the run's."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from harness.plan.model import RunPlan
from harness.record.baseline import Baseline, PhaseProfile
from harness.record.profiles import Stack
from harness.report.recorded import ProfileStacks
from harness.report.words import plain

SMALLEST_SHARE = 0.0005
"""Frames below this share of their profile are merged into one ``…`` beside them: less than a pixel of 1,200."""
DEEPEST = 200
"""Frames deeper than this are cut off: runaway recursion, not something to read."""

_LINE = re.compile(r":(\d+)\)$")


@dataclass(slots=True)
class _Node:
    weight: int = 0
    lines: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    children: dict[str, _Node] = field(default_factory=dict)


def function_of(frame: str) -> str:
    """A frame without its line: ``function (file.py)``; frames of one function are one box in the graph."""
    return _LINE.sub(")", frame)


def flame_data(profiles: list[ProfileStacks], plan: RunPlan, baseline: Baseline | None) -> list[dict[str, Any]]:
    """One entry a profile that holds samples: ``names`` (functions), ``tree`` (see :func:`_tree`), ``functions`` (by
    name's place: own and total weight of the run) and, where the baseline has a profile of that phase, ``base``: its
    samples and by name's place its own and total samples."""
    return [_flame(entry, plan, baseline) for entry in profiles if any(stack.weight for stack in entry.stacks)]


def _flame(entry: ProfileStacks, plan: RunPlan, baseline: Baseline | None) -> dict[str, Any]:
    profile = entry.profile
    phase = plan.phases[profile.phase].name if profile.phase < len(plan.phases) else f"phase {profile.phase}"
    root = _Node()
    for stack in entry.stacks:
        _add(root, stack)
    names: dict[str, int] = {}
    tree = _tree(root, max(1.0, root.weight * SMALLEST_SHARE), names)
    own, total = _weights(entry.stacks)
    data: dict[str, Any] = {
        "kind": profile.kind,
        "phase": plain(phase),
        "unit": profile.unit,
        "duration_s": profile.duration_s,
        "rate_hz": profile.rate_hz,
        "names": [plain(name) for name in names],
        "functions": [[own.get(name, 0), total.get(name, 0)] for name in names],
        "tree": tree,
    }
    before = baseline.runs[0].profiles.get(phase) if baseline and baseline.runs and profile.kind == "cpu" else None
    if before is not None and before.samples:
        data["base"] = _base(before, list(names))
    return data


def _add(root: _Node, stack: Stack) -> None:
    root.weight += stack.weight
    node = root
    for frame in stack.frames[:DEEPEST]:
        found = _LINE.search(frame)
        node = node.children.setdefault(function_of(frame), _Node())
        node.weight += stack.weight
        if found:
            node.lines[found[1]] += stack.weight


def _tree(node: _Node, smallest: float, names: dict[str, int], name: str = "all") -> list[Any]:
    """``[name's place, weight, heaviest line or 0, [children]]``; children by name, so that phases are alike."""
    kept = [(key, child) for key, child in sorted(node.children.items()) if child.weight >= smallest]
    children = [_tree(child, smallest, names, key) for key, child in kept]
    merged = sum(child.weight for child in node.children.values()) - sum(child.weight for _, child in kept)
    if merged >= smallest:
        children.append([names.setdefault("…", len(names)), merged, 0, []])
    line = int(max(node.lines, key=lambda line: node.lines[line])) if node.lines else 0
    return [names.setdefault(name, len(names)), node.weight, line, children]


def _weights(stacks: list[Stack]) -> tuple[dict[str, int], dict[str, int]]:
    """By function the weight on top of the stack, and anywhere on it (once, however often it recurs)."""
    own: defaultdict[str, int] = defaultdict(int)
    total: defaultdict[str, int] = defaultdict(int)
    for stack in stacks:
        functions = [function_of(frame) for frame in stack.frames]
        own[functions[-1]] += stack.weight
        for function in set(functions):
            total[function] += stack.weight
        total["all"] += stack.weight
    return own, total


def _base(before: PhaseProfile, names: list[str]) -> dict[str, Any]:
    known = {name: before.functions.get(name) for name in names}
    return {
        "samples": before.samples,
        "functions": [[found.own, found.total] if found else [0, 0] for found in known.values()],
    }
