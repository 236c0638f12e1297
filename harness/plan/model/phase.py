"""The phases of a plan, and the segments that each is made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from harness.plan.frozen import Frozen
from harness.plan.phases import KINDS, MEMORY_PASS
from harness.plan.requirement import Condition

Model = Literal["closed", "open"]


EVERY = -1
"""The turn of all targets at once."""


class Segment(Frozen):
    """The goal goes linearly from ``start`` to ``end`` (users, or arrivals per second) in ``duration_s``."""

    start: float
    end: float
    duration_s: float
    counts: bool = True
    """Whether it is a step of its phase; between the steps of a search, queues empty and users start."""


class SearchRange(Frozen):
    """Where a search phase looks: from ``start`` up to ``to``, in steps of ``shortest_s`` or longer."""

    start: float
    to: float
    shortest_s: float


def _known_kind(kind: str) -> str:
    if kind not in (*KINDS, MEMORY_PASS):
        raise ValueError(f"there is no kind of phase {kind}")
    return kind


class Phase(Frozen):
    """One part of the run. ``segments`` is empty where Locust's LoadTestShape sets the users."""

    name: str
    kind: Annotated[str, AfterValidator(_known_kind)]
    """One of :mod:`harness.plan.phases`."""
    model: Model
    segments: tuple[Segment, ...] = ()
    most_s: float | None = None
    """When a shape is ended at the latest."""
    until: Condition | None = None
    """The limit of a stress phase: the phase ends with the step in which it comes true. Of a search: what it seeks."""
    search: SearchRange | None = None
    """Of a search phase: ``segments`` is its range and longest time until :func:`harness.plan.search.as_ran`."""
    max_users: int | None = None
    """How many users all workers together may run at once. Always set in the open model, and only there."""
    spacing: Literal["even", "poisson"] = "even"
    """How the arrivals of the open model are spread."""
    turns: tuple[int, ...] = ()
    """In a duet, the number of the target whose turn each segment is, or :data:`EVERY`. Users of others rest in it."""
    measured: bool = True
    """Whether gates that name no phase read it."""
    description: str
    """What the phase does, for people: ``50 users for 30 s``."""

    @property
    def duration_s(self) -> float:
        """How long the phase takes at the longest; 0 for a shape, which may end itself."""
        return sum(segment.duration_s for segment in self.segments)
