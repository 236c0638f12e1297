"""Folded stacks as a compact tree for the page's flame graphs, with the samples of each span of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.analysis.functions import parse_frame
from harness.record.histogram import Ints
from harness.record.profiles import Stack

Floats = npt.NDArray[np.float64]

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
    """``total`` and ``own`` are the weights by span of stacks with it anywhere and on top."""

    total: Ints
    own: Ints
    lines: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    children: dict[str, _Node] = field(default_factory=dict)

    @classmethod
    def of(cls, spans: int) -> _Node:
        return cls(np.zeros(spans, np.int64), np.zeros(spans, np.int64))

    @property
    def weight(self) -> int:
        return int(self.total.sum())


def flame_tree(stacks: Sequence[Stack], spans: Sequence[int] = ()) -> FlameTree:
    """The tree of ``stacks``; ``spans`` has the number of the span of each of them, if they were sampled in spans."""
    count = max(spans, default=0) + 1
    root = _Node.of(count)
    for frames, weights in _by_span(stacks, spans or [0] * len(stacks), count).items():
        _add(root, frames, weights)
    names: dict[str, int] = {}
    least = max(1.0, root.weight * SMALLEST_SHARE)
    # One sample does not make a frame of a span.
    least_by_span = np.maximum(2.0, SMALLEST_SHARE_OF_SPAN * root.total) if spans else np.full(count, np.inf)
    tree = _Writer(names, least, least_by_span, in_spans=bool(spans)).entry(root, _ROOT)
    return FlameTree(list(names), tree)


def _by_span(stacks: Sequence[Stack], spans: Sequence[int], count: int) -> dict[tuple[str, ...], Ints]:
    found: dict[tuple[str, ...], Ints] = {}
    for stack, span in zip(stacks, spans, strict=True):
        weights = found.get(stack.frames)
        if weights is None:
            weights = found[stack.frames] = np.zeros(count, np.int64)
        weights[span] += stack.weight
    return found


def _add(root: _Node, frames: Sequence[str], weights: Ints) -> None:
    node, weight = root, int(weights.sum())
    node.total += weights
    for text in frames[:DEEPEST]:
        frame = parse_frame(text)
        child = node.children.get(frame.key)
        if child is None:
            child = node.children[frame.key] = _Node.of(len(weights))
        node = child
        node.total += weights
        node.lines[frame.line] += weight
    node.own += weights


@dataclass(frozen=True, slots=True)
class _Writer:
    names: dict[str, int]
    least: float
    least_by_span: Floats
    in_spans: bool

    def entry(self, node: _Node, name: str) -> list[Any]:
        large = {key: child for key, child in sorted(node.children.items()) if self._is_visible(child)}
        children = [self.entry(child, key) for key, child in large.items()]
        merged = _Node.of(len(node.total))
        for key, child in node.children.items():
            if key not in large:
                merged.total += child.total
        if merged.weight >= self.least:
            merged.own += merged.total
            children.append(self._written(merged, _MERGED, []))
        else:
            node.own += merged.total
        return self._written(node, name, children)

    def _is_visible(self, node: _Node) -> bool:
        return node.weight >= self.least or bool((node.total >= self.least_by_span).any())

    def _written(self, node: _Node, name: str, children: list[Any]) -> list[Any]:
        line = max(node.lines, key=lambda line: node.lines[line], default=0)
        entry = [self.names.setdefault(name, len(self.names)), node.weight, line, children]
        if not self.in_spans:
            return entry
        spans = np.flatnonzero(node.own)
        return [*entry, np.stack([spans, node.own[spans]], axis=1).ravel().tolist()]
