"""The samples of a tree keep the span that they were taken in."""

from __future__ import annotations

from typing import Any

from harness.record.profiles import Stack
from harness.report.flame_tree import FlameTree, flame_tree


def by_span(flame: FlameTree, node: list[Any] | None = None) -> dict[int, int]:
    """All samples of a tree by span."""
    _, _, _, children, own = node or flame.tree
    found = dict(zip(own[::2], own[1::2], strict=True))
    for child in children:
        for span, count in by_span(flame, child).items():
            found[span] = found.get(span, 0) + count
    return found


def test_each_sample_counts_once_at_the_top_of_its_stack() -> None:
    f, g = ("f (a.py:1)",), ("f (a.py:1)", "g (a.py:2)")
    flame = flame_tree([Stack(f, 3), Stack(g, 5), Stack(g, 2)], [0, 0, 1])
    _, weight, _, [(f_name, f_weight, _, [(_, _, _, _, own_of_g)], own_of_f)], own = flame.tree
    assert (weight, f_weight, own, own_of_f, own_of_g) == (10, 10, [], [0, 3], [0, 5, 1, 2])
    assert flame.names[f_name] == "f (a.py)"


def test_what_only_one_span_shows_is_kept() -> None:
    """It is less than a pixel of the whole, but a tenth of its span."""
    stacks = [*(Stack(("f (a.py:1)",), 100) for _ in range(100)), Stack(("g (a.py:1)",), 4)]
    flame = flame_tree(stacks, [*range(100), 50])
    assert "g (a.py)" in flame.names
    assert by_span(flame) == {span: 104 if span == 50 else 100 for span in range(100)}


def test_merged_frames_keep_their_samples() -> None:
    small = [Stack((f"f{number} (a.py:1)",), 1) for number in range(30)]
    flame = flame_tree([Stack(("big (a.py:1)",), 10_000), *small], [0, *(number % 2 for number in range(30))])
    assert by_span(flame) == {0: 10_015, 1: 15}
