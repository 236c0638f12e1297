"""The processes of this machine as trees of parents and children."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from harness.sampling.tree_clock import parent_of, read_proc


def process_trees(*roots: int) -> list[list[int]]:
    """Each root with all its descendants, from one reading of all processes; a root that has ended has none."""
    children: dict[int, list[int]] = {}
    for pid in all_pids():
        if (parent := parent_of(pid)) is not None:
            children.setdefault(parent, []).append(pid)
    alive = {pid for siblings in children.values() for pid in siblings}
    return [_tree(root, children) if root in alive else [] for root in roots]


def ancestors(pid: int) -> Iterator[int]:
    """The parent, its parent, and so on."""
    while (parent := parent_of(pid)) is not None and parent > 0:
        yield parent
        pid = parent


def all_pids() -> Iterator[int]:
    """All processes of the machine."""
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal())


def program_of(pid: int) -> str:
    """The name of its program, up to 15 characters; empty if it has ended."""
    return (read_proc(f"/proc/{pid}/comm") or b"").decode(errors="replace").strip()


def _tree(root: int, children: Mapping[int, Sequence[int]]) -> list[int]:
    found = [root]
    for pid in found:  # grows as it is walked
        found += children.get(pid, ())
    return found
