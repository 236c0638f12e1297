"""Folded stacks as a compact tree for the page's flame graphs, with the samples of each span of time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.analysis.functions import parse_frame
from harness.record.profiles import Stack

SMALLEST_SHARE = 0.0005
"""Frames below this share of their profile are merged into one ``…``: they are less than a pixel of 1,200 …"""
SMALLEST_SHARE_OF_SPAN = 0.01
"""… unless they have this share of a span, which can be looked at alone."""
DEEPEST = 200
"""Deeper frames are cut off: they come from runaway recursion."""
_ROOT = "all"
_MERGED = "…"


@dataclass(slots=True)
class FlameTree:
    """``tree`` is ``[index in names, weight, heaviest line or 0, [children]]``; of a profile that was sampled in spans,
    each has one more entry, ``[span, weight on top of the stack, span …]``.

    Children are sorted by name, so that phases look alike. Frames of one function are one box, whatever their lines.
    """

    names: list[str]
    tree: list[Any]


@dataclass(slots=True)
class _Node:
    weight: int = 0
    lines: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    children: dict[str, _Node] = field(default_factory=dict)
    own: Counter[int] = field(default_factory=Counter)
    """By span, the samples in which it was on top of the stack."""
    total: Counter[int] = field(default_factory=Counter)
    """By span, those with it anywhere."""


def flame_tree(stacks: Iterable[Stack], spans: Sequence[int] = ()) -> FlameTree:
    """The tree of ``stacks``; ``spans`` has the number of the span of each of them, if they were sampled in spans."""
    root = _Node()
    if spans:
        for stack, span in zip(stacks, spans, strict=True):
            _add(root, stack, span)
    else:
        for stack in stacks:
            _add(root, stack, None)
    names: dict[str, int] = {}
    tree = _entry(root, _ROOT, root, names)
    return FlameTree(list(names), tree)


def _add(root: _Node, stack: Stack, span: int | None) -> None:
    nodes = [root]
    for text in stack.frames[:DEEPEST]:
        frame = parse_frame(text)
        node = nodes[-1].children.setdefault(frame.key, _Node())
        node.lines[frame.line] += stack.weight
        nodes.append(node)
    for node in nodes:
        node.weight += stack.weight
        if span is not None:
            node.total[span] += stack.weight
    if span is not None:
        nodes[-1].own[span] += stack.weight


def _entry(node: _Node, name: str, root: _Node, names: dict[str, int]) -> list[Any]:
    large = {key: child for key, child in sorted(node.children.items()) if _is_visible(child, root)}
    children = [_entry(child, key, root, names) for key, child in large.items()]
    merged = _Node()
    for key, child in node.children.items():
        if key not in large:
            merged.weight += child.weight
            merged.own += child.total
    if merged.weight >= max(1.0, root.weight * SMALLEST_SHARE):
        children.append(_written(merged, _MERGED, [], names))
    else:
        node.own += merged.own
    return _written(node, name, children, names)


def _written(node: _Node, name: str, children: list[Any], names: dict[str, int]) -> list[Any]:
    line = max(node.lines, key=lambda line: node.lines[line], default=0)
    entry = [names.setdefault(name, len(names)), node.weight, line, children]
    in_spans = node.total or node.own
    return [*entry, [number for cell in sorted(node.own.items()) for number in cell]] if in_spans else entry


def _is_visible(node: _Node, root: _Node) -> bool:
    if node.weight >= max(1.0, root.weight * SMALLEST_SHARE):
        return True
    return any(count >= max(2.0, SMALLEST_SHARE_OF_SPAN * root.total[span]) for span, count in node.total.items())
