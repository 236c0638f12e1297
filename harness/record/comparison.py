"""What ``harness compare --json`` prints: two builds side by side. A public format.

A change is relative (0.05: 5 % more), or for a share such as the error rate the difference of the shares (0.01: one
percentage point). Margins are stated in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ExitCode
from harness.record.changes import Difference
from harness.record.measurement import BENCHMARKS, Measurement
from harness.record.notice import Notice
from harness.record.plain_text import steering_escaped

Outcome = Literal["worse", "inconclusive", "not worse", "better"]

_EXIT_CODES = {"worse": ExitCode.FAIL, "inconclusive": ExitCode.INCONCLUSIVE}


class ComparedFigure(Difference):
    """One figure of both builds: ``baseline`` is A's, ``observed`` B's; ``change`` is how B differs from A."""

    better: Literal["lower", "higher"] = "lower"
    """Which direction is better."""
    margin: float
    """The largest change for the worse that does not matter."""
    outcome: Outcome
    decides: bool
    """Whether the verdict needs it settled: of a run the figures of all endpoints together, of a bench all. Figures of
    series and checks, which only gates name, have no say."""
    finding: Notice
    """What the interval says, in one sentence."""
    settle: Notice | None = None
    """What would settle an inconclusive figure."""


class ComparedRun(BaseModel):
    """One run of a build. ``verdict`` and ``fingerprint`` are null if its folder does not have them."""

    run_id: str
    started_at: str
    scenario: str
    profile: str
    verdict: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One run of a build. Its verdict and fingerprint are None where its folder does not have them."""

    measurement: Measurement
    verdict: str | None = None
    fingerprint: str | None = None

    @property
    def id(self) -> str:
        return self.measurement.run_id

    @property
    def is_bench(self) -> bool:
        return self.measurement.phase(BENCHMARKS) is not None

    def in_short(self) -> ComparedRun:
        """As a comparison lists it."""
        about = self.measurement.model_dump(include={"run_id", "started_at", "scenario", "profile"})
        return ComparedRun(**about, verdict=self.verdict, fingerprint=self.fingerprint)


class Comparison(BaseModel):
    """Two builds, A and B, each measured by one or more runs."""

    model_config = ConfigDict(populate_by_name=True, ser_json_inf_nan="null")

    schema_: int = Field(1, alias="schema")
    kind: Literal["run", "bench"]
    verdict: Outcome
    """``worse`` if a figure is, else ``inconclusive`` if one that decides is. It is never ``better``."""
    reasons: list[Notice]
    """What the verdict rests on, the most important first."""
    remarks: list[Notice] = []
    """What the reader has to know of the runs: other machines, phases left out, one run a side."""
    a: list[ComparedRun]
    b: list[ComparedRun]
    figures: list[ComparedFigure]

    @property
    def exit_code(self) -> ExitCode:
        """1 worse, 3 inconclusive, else 0."""
        return _EXIT_CODES.get(self.verdict, ExitCode.PASS)

    def of(self, outcome: Outcome) -> list[ComparedFigure]:
        """The figures with that outcome, in the order of the runs."""
        return [figure for figure in self.figures if figure.outcome == outcome]

    def to_json(self) -> str:
        """As JSON. Control characters are escaped: it may go to a terminal."""
        return steering_escaped(self.model_dump_json(by_alias=True, indent=2)) + "\n"
