"""Every figure of a scenario over its runs, and where it took a step: ``harness history --json``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from harness.record.changes import Meaning
from harness.record.measurement import Accepted, Interval, Measurement
from harness.record.plain_text import steering_escaped


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class HistoryRun(_Part):
    """One run of the history."""

    run_id: str
    started_at: str
    """ISO 8601, UTC."""
    verdict: str
    commit: str | None = None


class Step(_Part):
    """A new level of a figure: ``after`` is the first run at it, ``before`` the last one at the old."""

    before: HistoryRun
    after: HistoryRun
    level_before: float
    level_after: float
    change: float | None
    """Relative (0.05: 5 % more); of a share, the difference. Null where the level before is 0."""
    meaning: Meaning
    machine_slower: float | None = None
    """Of a figure as measured: by how much the machine was slower after it than before (-0.18: 18 % faster)."""
    accepted: Accepted | None = None
    """Its acceptance. In ``past-runs.json``, that of any run after it: who accepts a run accepts all its levels."""


class Series(_Part):
    """One figure over the runs that have it, the earliest first."""

    phase: str
    """In a duet with the build."""
    endpoint: str
    """Empty: all endpoints together."""
    metric: str
    unit: str
    at_equal_speed: bool = False
    """Whether the figures are those at the machine speed of the latest run; those of runs without it are left out."""
    run_ids: list[str]
    figures: list[Interval]
    steps: list[Step]

    @property
    def values(self) -> list[float]:
        """The figures without their intervals."""
        return [figure.value for figure in self.figures]


class History(_Part):
    """A scenario's history under one profile in one environment."""

    scenario: str
    profile: str
    fingerprint: str
    runs: list[HistoryRun]
    """The earliest first."""
    series: list[Series]
    accepted: list[Accepted] = []
    beside_others: dict[str, int] = {}
    """By phase, in how many runs other processes took the cores for most of it."""

    def to_json(self) -> str:
        """As JSON. Control characters are escaped: it may go to a terminal."""
        return steering_escaped(self.model_dump_json(indent=2)) + "\n"


class StepHistory(History):
    """``past-runs.json``: what gates on steps read, and what explains their steps. The run itself is the last in it."""

    measured: list[Measurement] = []
    """Of the runs around a step that are not in the run's baseline, all that they measured."""
