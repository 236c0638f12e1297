"""The kinds of phases, one file each. To add one, write its file and list its class in ``_CLASSES``.

A kind's file holds all that is special to it: its keys, the function that scenarios call, its checks, its description,
its segments, and the traits that others ask for (see :class:`harness.plan.phases.base.PhaseConfig`). A file is imported
when its kind is first needed, because scenarios import this package in every load process.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.plan.phases.base import PhaseConfig

_CLASSES = {
    "ramp": "Ramp",
    "steady": "Steady",
    "stress": "Stress",
    "spike": "Spike",
    "pause": "Pause",
    "shape": "Shape",
    "search": "Search",
}
"""The class of each kind, in the module of that name."""

KINDS = tuple(_CLASSES)
"""The kinds a user can write. ``harness.steady`` and its like are made from them."""
MEMORY_PASS = "diagnose"
"""The kind and name of the phase that the plan adds (see :mod:`harness.plan.phases.diagnose`)."""


@cache
def phase_kind(kind: str) -> type[PhaseConfig]:
    """The class of a kind, the memory pass's included. Raises ``KeyError`` for an unknown one."""
    name = "Diagnose" if kind == MEMORY_PASS else _CLASSES[kind]
    found: type[PhaseConfig] = getattr(importlib.import_module(f"{__name__}.{kind}"), name)
    return found


def holds_one_level(kind: str) -> bool:
    """Whether phases of a recorded kind do, as far as this version of the harness knows it."""
    return kind in (*KINDS, MEMORY_PASS) and phase_kind(kind).one_level
