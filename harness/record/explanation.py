"""Why a gate failed or a figure got worse: ranked causes, each with its part of it and its evidence."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from harness.record.measurement import Interval
from harness.record.notice import Notice

CauseKind = Literal[
    "cpu",
    "lock",
    "pool",
    "queue",
    "downstream",
    "statements",
    "sleep",
    "disk",
    "saturated",
    "surroundings",
    "cores-taken",
    "memory",
    "fault",
    "target-died",
    "generator",
    "failures",
    "contract",
    "check",
    "new-code",
]


class Place(BaseModel):
    """Where in the code; ``line`` is the one that was seen most, null where it is unknown."""

    function: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = self.file if self.file is None or self.line is None else f"{self.file}:{self.line}"
        return self.function if where is None else f"{self.function} ({where})"


class Cause(BaseModel):
    """One cause. ``kind`` says what it is: see :mod:`harness.explain.kinds`."""

    kind: CauseKind
    place: Place | None = None
    per_request_ms: Interval | None = None
    """By how much time a request of any endpoint grew for it (against a limit alone: how much it takes), 95 %."""
    share: Interval | None = None
    """The share (0…1) of the rise that it explains; null where that is unknown."""
    part: Interval | None = None
    """The same in the explanation's unit."""
    sure: bool = True
    """Otherwise it is likely, or only possible."""
    what: Notice
    evidence: list[Notice] = []


class Explanation(BaseModel):
    """What rose in one place, by how much, and its causes, the most important first; there may be none."""

    phase: str | None = None
    endpoint: str | None = None
    """Null: all endpoints together."""
    metric: str
    """``p95``; or ``verify`` and ``run``, which have no figures."""
    gates: list[str] = []
    """What the failed gates require that this explains; empty where only a change was found."""
    unit: str = ""
    observed: float | None = None
    reference: float | None = None
    against: Literal["baseline", "limit"] | None = None
    """What ``reference`` is."""
    rise: Interval | None = None
    """By how much it got worse than the baseline, in ``unit``, 95 %; null without a baseline."""
    causes: list[Cause] = []
    unexplained: Interval | None = None
    """What the causes with a part leave of ``rise``; null where no part is known."""
    what: Notice
