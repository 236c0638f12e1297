"""One phase in ``summary.json``: its figures, and what they are worth."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.record.fault_report import FaultedSeconds
from harness.record.figures import EndpointFigures, Figures, Lag
from harness.record.measurement import Interval, phase_title
from harness.record.notice import Notice


class StepFigures(Figures):
    """One step of a stress phase; ``level`` is its users or arrivals per second."""

    level: float = 0.0
    start_s: float = 0.0
    end_s: float = 0.0
    held: bool | None = None
    generator_limited: bool = False
    """Whether the load generator was the bottleneck: then the step says nothing of the target."""


class Contamination(BaseModel):
    """Seconds of a phase in which others took the cores; see :mod:`harness.analysis.contamination`.

    Others are processes that neither the target nor the harness started, and the hypervisor.
    """

    seconds: list[int] = []
    """Of the run: the second 12 begins 12 s after its start."""
    share: float = 0.0
    """Of the phase's seconds (0…1)."""
    others_cores: float = 0.0
    """How many cores others used in these seconds, on average."""
    processes: dict[str, float] = {}
    """Those of them that used most, by name, with their cores; as far as they could be seen."""
    left_out: bool = False
    """Whether gates leave them out; otherwise too few would be left."""
    clean: dict[str, Interval] = {}
    """The phase's figures without these seconds, all endpoints together; by metric, as ``intervals``."""


class Scalability(BaseModel):
    """The Universal Scalability Law, fitted to the steps of a phase; see :mod:`harness.analysis.scalability`.

    Intervals are 95 %. ``contention`` and ``coherency`` are shares (0…1).
    """

    rate: float
    """Requests per second with one request in the target at a time."""
    rate_interval: tuple[float, float | None]
    contention: float
    contention_interval: tuple[float, float | None]
    coherency: float
    coherency_interval: tuple[float, float | None]
    off: float
    """How far the law is off the measured throughput: root mean square, as a share."""
    steps: int
    most_at_once: float
    """The most requests that were in the target at once, as the mean of a step."""
    peak_at_once: float | None
    """With how many requests at once throughput is highest; null if that lies beyond what was measured."""
    peak_rps: float | None


class PhaseSummary(Figures):
    """One phase: all its endpoints together, then each."""

    model_config = ConfigDict(populate_by_name=True)

    index: int
    name: str
    kind: str
    model: Literal["open", "closed"]
    variant: str = ""
    """In a duet the build, ``a`` or ``b``."""
    measured: bool = True
    """Whether gates read this phase (the diagnose pass and pauses are not measured)."""
    start_s: float
    end_s: float
    goal: str = Field("", alias="target")
    """The planned load, for people: ``50 users``, ``200 → 2,000 arrivals/s``."""
    users: float = 0.0
    """Mean number of users that ran."""
    users_max: int = 0
    iterations: int = 0
    late: int = 0
    """Open model: arrivals that started more than 1 ms after their intended start."""
    lateness_ms: Lag = Lag()
    """Open model: how much later than intended arrivals started, for whatever reason; over all arrivals."""
    own_lateness_ms: Lag = Lag()
    """The part of it that the generator caused: the rest of the time all users waited for the target."""
    cut_short: str | None = None
    held: float | None = None
    """A stress or search phase: the highest level (users or arrivals per second) that held."""
    capacity: float | None = None
    """The same, of the steps in which the load generator was not the bottleneck; 0 if the first step broke."""
    capacity_interval: tuple[float, float | None] | None = None
    """The highest level that held for certain, and the lowest that broke for certain; null if none did."""
    steps: list[StepFigures] = Field(default_factory=list)
    scalability: Scalability | None = None
    """Of a stress or search phase, if the law describes its steps; else ``no_scalability`` says why not."""
    no_scalability: Notice | None = None
    generator_limited: str | None = None
    """Why the load generator was the bottleneck in this phase. Its gates are then inconclusive, except for an error
    rate of the closed model."""
    generator_strained: str | None = None
    """Why response times may be longer than they were; their intervals reach down to what they may be without it."""
    dropped: int = 0
    """Open model: arrivals of the run that found no user until its end. The last open phase has them."""
    intervals: dict[str, Interval] = Field(default_factory=dict)
    """The figures of all endpoints together with their 95 % intervals, and those of the target; by metric."""
    contamination: Contamination | None = None
    """Null where no second is contaminated."""
    faulted: FaultedSeconds | None = None
    """Null where no second is disturbed by a fault."""
    endpoints: list[EndpointFigures] = Field(default_factory=list)

    @property
    def title(self) -> str:
        return phase_title(self.name, self.variant)
