"""What a run measured: figures with intervals by variant, phase, endpoint and metric.

It is what the store keeps of every run, what runs are compared by, and what a baseline is made of. A bench is measured
in one phase, :data:`BENCHMARKS`, whose endpoints are the ids of its tests.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from harness.record.calibration import Calibration

ONLY = ""
"""The variant of a run that has one build only."""

ALL = ""
"""The endpoint that stands for all endpoints together."""

CALM = ""
"""In place of a fault's name: the seconds that no fault disturbed."""

BENCHMARKS = "benchmarks"


def phase_title(phase: str, variant: str) -> str:
    """The name of a phase as reports show it: in a duet with the build."""
    return f"{phase} (build {variant.upper()})" if variant else phase


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


_NoNan = Annotated[float, Field(ge=-math.inf)]
"""A bound may be infinite."""


class Interval(_Part):
    """A figure and its 95 % interval, in the metric's unit; ``high`` None: too few requests to bound it from above."""

    value: FiniteFloat
    low: _NoNan
    high: _NoNan | None

    @classmethod
    def exactly(cls, value: float) -> Self:
        """A figure without an error."""
        return cls(value=value, low=value, high=value)


Figures = dict[str, Interval]
"""By metric."""


class FunctionSamples(_Part):
    """In how many CPU samples of a phase a function was on top of the stack (``own``) or anywhere on it (``total``)."""

    own: int
    total: int
    cpu_ms: float | None = None
    """CPU time per request in it and what it calls, in ms, scaled by the kernel's CPU clocks."""
    dispersion: float | None = None
    """By how much its samples vary between spans of the phase, as a multiple of independent samples' variance."""
    caller: str | None = None
    """The function that called it in most samples."""


class PhaseProfile(_Part):
    """The CPU profile of one phase by function; the key is the function as folded, ``function (file.py)``, lineless.

    ``requests`` were sent while the sampler was on: what the samples are divided by when profiles are compared.
    """

    samples: int
    rate_hz: float
    requests: float
    functions: dict[str, FunctionSamples]
    spans: int = 0
    """In how many spans it was sampled; 0 if it was sampled in one go and not scaled by clocks."""
    sample_ms: float | None = None
    """The CPU time per request that a sample stands for on average, in ms."""
    clock_ms: float | None = None
    """CPU time per request of the target by the kernel's clocks while it was sampled, in ms."""
    busy: float | None = None
    """Seconds that samples show threads busy, per CPU second: above 1, threads waited for a core."""
    python: str | None = None
    """The version of Python that the target ran on."""


class WaitTime(_Part):
    """What threads of the target waited for, in one place of its own code, while they served requests."""

    kind: str
    """``lock``, ``pool``, ``queue``, ``downstream``, ``sleep`` or ``disk``; see :mod:`harness.analysis.waits`."""
    what: str
    """Which pool or what kind of downstream: ``SQLAlchemy pool``, ``database``; empty for others."""
    function: str
    file: str
    line: int
    """The line that was seen most."""
    ms: Interval
    """Per request (of any endpoint)."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What is compared between runs: lines move."""
        return self.kind, self.what, self.function, self.file


class ResourceSummary(_Part):
    """One sampled value over a phase, in its own unit (``cpu_percent``, ``rss_bytes``)."""

    mean: float
    max: float


class MachineSpeed(_Part):
    """How fast the machine was in a phase, and figures of all endpoints together from which its speed is taken out."""

    work: str
    """What was timed; only times of the same work are comparable."""
    time_ms: float
    """How long the work took on average beside a request."""
    figures: Figures
    """As they would be on a machine on which the work takes 1 ms."""


class EndpointMeasurement(_Part):
    """One endpoint or benchmark: its figures, and how much they rest on."""

    requests: int = 0
    """Or a benchmark's rounds."""
    seconds: int = 0
    """Over how many seconds the requests came: intervals are taken between them."""
    figures: Figures


class PhaseMeasurement(_Part):
    """One measured phase of one variant, or the seconds of a phase under one fault."""

    variant: str = ONLY
    name: str
    fault: str = CALM
    kind: str
    goal: str = ""
    """The load that was asked for, and how hard the fault strikes: only phases of one goal are compared."""
    traced: bool = False
    """Whether the target recorded spans, which takes time: phases are compared only with those that did as well."""
    generator_limited: str | None = None
    """Why the load generator was the bottleneck; the figures are then not the target's."""
    contaminated: float = 0.0
    """The share (0…1) of the seconds in which other processes took the cores. The figures leave them out."""
    too_contaminated: bool = False
    """Whether too few clean seconds are left to stand for the phase; the figures are then those of all seconds."""
    endpoints: dict[str, EndpointMeasurement]
    named: dict[str, Literal["lower", "higher"]] = {}
    """Which direction is better of the figures that a gate names in the user's words: of series and checks."""
    profile: PhaseProfile | None = None
    """Of the threads that hold the GIL."""
    threads: PhaseProfile | None = None
    """Of all threads that do not sleep."""
    speed: MachineSpeed | None = None
    """None where the speed of the machine is not known."""
    waits: list[WaitTime] | None = None
    """The longest first; None if waits were not sampled."""
    resources: dict[str, dict[str, ResourceSummary]] = {}
    """By source (``target``, ``machine``, ``generator``) and name (``cpu_percent``)."""

    def profile_of(self, kind: str) -> PhaseProfile | None:
        """Its CPU profile of that kind; None if there is none."""
        return {"cpu": self.profile, "threads": self.threads}.get(kind)


class Measurement(_Part):
    """One run, as far as other runs are compared with it."""

    run_id: str
    started_at: str
    """ISO 8601, UTC."""
    scenario: str
    profile: str
    phases: list[PhaseMeasurement]
    under_faults: list[PhaseMeasurement] = []
    """The seconds under each fault that was active as planned."""

    @property
    def is_duet(self) -> bool:
        """Whether it has the figures of two builds."""
        return any(phase.variant != ONLY for phase in self.phases)

    def phase(self, name: str, variant: str = ONLY, fault: str = CALM) -> PhaseMeasurement | None:
        """The phase of that name, or its seconds under a fault; None where they were not measured."""
        parts, key = self.under_faults if fault else self.phases, (name, variant, fault)
        return next((part for part in parts if (part.name, part.variant, part.fault) == key), None)

    def like(self, part: PhaseMeasurement) -> PhaseMeasurement | None:
        """What another run's ``part`` is compared with: the same phase, under the same fault if it is of one."""
        return self.phase(part.name, part.variant, part.fault)

    def endpoint(
        self, phase: str, endpoint: str = ALL, variant: str = ONLY, fault: str = CALM
    ) -> EndpointMeasurement | None:
        """One endpoint in one phase; None where it was not measured."""
        measured = self.phase(phase, variant, fault)
        return measured.endpoints.get(endpoint) if measured else None

    def figure(self, phase: str, endpoint: str, metric: str, variant: str = ONLY, fault: str = CALM) -> Interval | None:
        """One figure; None where it was not measured."""
        measured = self.endpoint(phase, endpoint, variant, fault)
        return measured.figures.get(metric) if measured else None

    @model_validator(mode="before")
    @classmethod
    def _older(cls, data: Any) -> Any:
        return of_baseline_run(data) if isinstance(data, dict) and "summary" in data else data


class Accepted(_Part):
    """A run that was accepted after an intended change: earlier ones no longer count."""

    run_id: str
    accepted_at: str
    """ISO 8601, UTC."""
    why: str


class UndecidedGate(_Part):
    """A gate that compared a run with its baseline and could not tell: as in its ``GateResult``."""

    model_config = ConfigDict(frozen=True)

    require: str
    phase: str | None
    endpoint: str | None


class Baseline(_Part):
    """The baseline of one (scenario, profile, environment fingerprint): its runs, latest first; at least one.

    ``baseline.json`` in a run folder is the one that the run was compared with, as it stood then: judging and drawing
    the run again takes nothing but the folder.
    """

    scenario: str
    profile: str
    fingerprint: str
    runs: list[Measurement]
    window: int | None = None
    """How many runs it holds at most if it slides with each run; None if its runs are pinned."""
    accepted: Accepted | None = None
    """What moved it last."""
    calibration: Calibration | None = None
    """How much runs of one build vary, if it was measured."""
    undecided: dict[str, list[UndecidedGate]] = {}
    """By run: what its inconclusive runs since the last clear one could not tell."""

    def figures(self, phase: str, endpoint: str, metric: str) -> list[Interval]:
        """One figure of each run that has it, latest first."""
        found = (run.figure(phase, endpoint, metric) for run in self.runs)
        return [figure for figure in found if figure is not None]


def of_baseline_run(run: dict[str, Any]) -> dict[str, Any]:
    """The measurement in a baseline run as it was kept before stores had measurements: with its whole summary."""
    summary = run["summary"]
    known = {phase["name"]: phase for phase in summary.get("phases", [])}
    phases = []
    for name, endpoints in run["figures"].items():
        phase = known.get(name, {})
        phases.append(
            {
                "name": name,
                "kind": phase.get("kind", "bench"),
                "goal": phase.get("target", ""),
                "generator_limited": phase.get("generator_limited"),
                "endpoints": {endpoint: {"figures": figures} for endpoint, figures in endpoints.items()},
                "profile": run["profiles"].get(name),
            }
        )
    return {
        "run_id": run["run_id"],
        "started_at": run["started_at"],
        "scenario": summary["scenario"],
        "profile": summary["profile"],
        "phases": phases,
    }
