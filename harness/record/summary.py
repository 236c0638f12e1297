"""``summary.json``: the machine-readable result of a run. A public format: adding is free, changing bumps ``schema``.

Times: ``_s`` seconds from the run's start, ``_ms`` milliseconds; rates per second; ``error_rate`` is a share 0…1.
A figure that does not exist (a percentile of no requests) is ``null``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from harness.messages import Message
from harness.record.endpoint_statements import EndpointStatements
from harness.record.explanation import Explanation
from harness.record.findings import Leak, ProcessEnd
from harness.record.measurement import Baseline, Interval
from harness.record.notice import Notice
from harness.record.plain_text import steering_escaped

Verdict = Literal["pass", "fail", "inconclusive", "broken"]
GateStatus = Literal["pass", "fail", "inconclusive"]
Meaning = Literal["better", "worse", "no clear change"]


class _Part(BaseModel):
    model_config = ConfigDict(populate_by_name=True, ser_json_inf_nan="null")


class Latency(_Part):
    """Percentiles over all requests, in ms, of 3 significant digits; mean and max are exact."""

    mean: float | None = None
    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p99_9: float | None = Field(None, alias="p99.9")
    max: float | None = None


class Figures(_Part):
    """The figures of one endpoint, or of all together, in one phase."""

    requests: int = 0
    failures: int = 0
    error_rate: float | None = None
    throughput_rps: float = 0.0
    """Requests that started in the phase, per second."""
    bytes_received: int = 0
    response_ms: Latency = Latency()
    ok_response_ms: Latency = Latency()
    """Over the successful requests only."""
    service_ms: Latency = Latency()


class EndpointFigures(Figures):
    method: str = ""
    name: str = ""


class Lag(_Part):
    """Percentiles of a delay, in ms."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


class StepFigures(Figures):
    """One step of a stress phase; ``level`` is its users or arrivals per second."""

    level: float = 0.0
    start_s: float = 0.0
    end_s: float = 0.0
    held: bool | None = None
    generator_limited: bool = False
    """Whether the load generator was the bottleneck: then the step says nothing of the target."""


class Contamination(_Part):
    """Seconds of a phase in which others took the cores; see :mod:`harness.analysis.contamination`.

    Others are processes that neither the target nor the harness started, and the hypervisor.
    """

    seconds: list[int] = []
    """Of the run: the second 12 begins 12 s after its start."""
    share: float = 0.0
    """Of the phase's seconds (0…1)."""
    others_cores: float = 0.0
    """How many cores others used in these seconds, on average."""
    left_out: bool = False
    """Whether gates leave them out; otherwise too few would be left."""
    clean: dict[str, Interval] = {}
    """The phase's figures without these seconds, all endpoints together; by metric, as ``intervals``."""


class Scalability(_Part):
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
    steps: list[StepFigures] = []
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
    intervals: dict[str, Interval] = {}
    """The figures of all endpoints together with their 95 % intervals, and those of the target; by metric."""
    contamination: Contamination | None = None
    """Null where no second is contaminated."""
    endpoints: list[EndpointFigures] = []

    @property
    def title(self) -> str:
        """Its name, in a duet with the build."""
        return f"{self.name} (build {self.variant.upper()})" if self.variant else self.name


class Settle(_Part):
    """What would settle an inconclusive gate if its figures stayed as they are; null: that would not."""

    seconds: int | None = None
    """How long the phase would have to be."""
    baseline_runs: int | None = None
    """How many runs the baseline would have to have."""
    metric: str | None = None
    """A metric that shows smaller changes of the same target."""
    detectable: float | None = None
    """The figure from which on this run would have failed the gate, in the gate's ``unit``."""


class GateResult(_Part):
    """What one gate required, what was observed, and whether it held.

    ``observed``, ``limit`` and ``interval`` (95 %) are in ``unit`` (``ms``, ``%``, ``/s``; of benchmarks ``s``, ``/s``,
    ``B`` or none). A gate on an invariant (the scenario's ``verify``, a benchmark's own assertions) has none of them.
    """

    require: str
    phase: str | None = None
    """The phase that the gate read; a gate over several phases has one result for each."""
    endpoint: str | None = None
    """Or the benchmark, if the gate names several."""
    status: GateStatus
    observed: float | None = None
    unit: str = ""
    limit: float | None = None
    interval: tuple[float, float | None] | None = None
    """The upper end is null if the requests are too few to bound a percentile from above."""
    baseline: float | None = None
    machine_slower: float | None = None
    """If limit and baseline are those at this run's machine speed, by how much the machine was slower (0.07: 7 %)."""
    settle: Settle | None = None
    """Null unless the gate is inconclusive because its figure is too close to the limit."""
    reason: str = ""
    """One sentence a person can act on."""
    code: str = ""
    """What the reason says, for programs: ``gate-over-limit``; ``params`` are the figures and names in it."""
    params: dict[str, Any] = {}

    def because(self, reason: Message) -> Self:
        """This result with its reason."""
        notice = Notice.of(reason)
        return self.model_copy(update={"reason": notice.text, "code": notice.code, "params": notice.params})

    @property
    def asked(self) -> str:
        """What is required, and of what: ``p95 < 500ms on POST /checkout``."""
        return self.require if self.endpoint is None else f"{self.require} on {self.endpoint}"


class Totals(_Part):
    requests: int = 0
    failures: int = 0
    iterations: int = 0
    bytes_received: int = 0


class WorkerClock(_Part):
    """The reading of one load worker's run clock in which it may have differed most from the master's.

    ``offset`` is the difference, ``bound`` the error of that reading (half the round trip), both in ms.
    """

    worker: int
    host: str = ""
    offset: float
    bound: float

    @property
    def within(self) -> float:
        """The most that the two clocks differed, in ms."""
        return abs(self.offset) + self.bound


class Generator(_Part):
    """The state of the load generator.

    ``cpu_max`` is the busiest second of a worker, as a share of one core. ``starved_max``, ``throttled_max`` and
    ``stolen_max`` are the worst seconds of a worker (see :class:`harness.record.journal_entries.WorkerSecond`).
    """

    saturated: bool = False
    cpu_max: float = 0.0
    starved_max: float = 0.0
    throttled_max: float = 0.0
    stolen_max: float = 0.0
    lag_ms: Lag = Lag()
    dropped: int = 0
    late: int = 0
    """Arrivals that started more than 1 ms after their intended start. None is dropped."""
    own_lateness_ms: Lag = Lag()
    """How late the generator itself made arrivals start, over all arrivals."""
    workers: int = 0
    clock_ms: float | None = None
    """The most that any worker's clock differed from the master's."""
    clocks: list[WorkerClock] = []


class Suspect(_Part):
    """A function (with what it calls) that costs the target more CPU per request than in the baseline.

    Shares are those of the target's CPU samples (0…1), ``change`` is their difference.
    """

    function: str
    file: str
    line: int
    share_baseline: float
    share_run: float
    change: float
    interval: tuple[float, float] | None = None
    """The 95 % interval of ``change``, in runs of earlier versions."""
    cpu_ms_baseline: float = 0.0
    """CPU time in the function per request (of any endpoint), in ms; the baseline's at this run's speed."""
    cpu_ms_run: float = 0.0
    cpu_ms_growth: tuple[float, float] | None = None
    """The 95 % interval of their difference."""
    inside: str | None = None
    """The function of a library in which the growth is, if this one calls it for nearly all of it."""
    callers: list[str] = []
    """The functions that grew only because they call this one: the closest three, Python's own last."""


class FailureKind(_Part):
    """One kind of failure on one endpoint, with a few failed requests in full."""

    method: str
    name: str
    failure: str
    code: str = ""
    """What the harness calls a failure that it found itself (``response-timeout``); empty for others."""
    count: int
    first_s: float
    last_s: float
    samples: list[dict[str, str]] = []


class Difference(_Part):
    """One figure beside the baseline's.

    ``baseline`` and ``observed`` are in ``unit``. ``change`` is relative (0.05: 5 % more), or for a share (``%``) the
    difference of the shares. It is null if the baseline is 0.
    """

    phase: str
    endpoint: str | None = None
    """Null: all endpoints together. A benchmark's name, in the phase ``benchmarks``."""
    metric: str
    unit: str
    baseline: float
    observed: float
    change: float | None
    interval: tuple[float, float | None] | None
    """Of the change, 95 %, with the noise of both sides. The upper end is null if the data cannot bound it."""
    machine_slower: float | None = None
    """How much longer reference work took on the machine (0.07: 7 %) than it did beside the baseline, whose figure is
    the one at the speed of ``observed``. Null: compared as measured."""


class Change(Difference):
    """What a difference from the baseline means."""

    meaning: Meaning


class Duet(_Part):
    """Two builds that ran in turns; :attr:`Summary.changes` compares them."""

    a: str
    """What build A is, for people."""
    b: str
    starts: int
    """How many times each was started."""
    blocks: int
    """How many blocks of turns the measured phases had."""
    side_by_side: bool = False
    """Whether both builds served the same arrivals in the same moment, where a phase is of the open model."""
    self_changes: list[Change]
    """Build A compared with itself: what noise alone looks like in this run."""


class BaselineRef(_Part):
    """What the run was compared with, the latest run first."""

    run_ids: list[str]
    fingerprint: str

    @classmethod
    def of(cls, baseline: Baseline | None) -> Self | None:
        """A reference to ``baseline``; None if there is none."""
        if baseline is None:
            return None
        return cls(run_ids=[run.run_id for run in baseline.runs], fingerprint=baseline.fingerprint)


class BenchmarkFigures(_Part):
    """The figures of one benchmark, over all its rounds: seconds of one call."""

    test: str
    """Its whole id: ``benchmarks/micro/test_shop.py::test_search``."""
    name: str
    """Its name in gates and reports: the test's name, or its id if two tests have the same name."""
    group: str | None = None
    rounds: int
    iterations: int
    """Calls per round; its time is divided by them."""
    min_s: float
    mean_s: float
    mean_interval_s: tuple[float, float | None]
    median_s: float
    p95_s: float
    p99_s: float
    max_s: float
    stddev_s: float
    ops: float
    """Calls a second, by the mean."""
    taken: float = 0.0
    """The share (0…1) of its time in which it was ready to run while others had the core."""
    peak_bytes: int | None = None
    """With ``--memory``: the most it held during one call."""
    allocations: int | None = None
    allocated_bytes: int | None = None
    baseline_mean_s: float | None = None
    change: float | None = None
    """The relative change of the mean; ``change_interval`` (95 %) includes the noise of both sides."""
    change_interval: tuple[float, float | None] | None = None


class Summary(_Part):
    """The whole result."""

    schema_: int = Field(1, alias="schema")
    kind: Literal["run", "bench"] = "run"
    """In a ``bench``, ``scenario`` is the name of the suite, and ``benchmarks`` has the figures."""
    run_id: str
    scenario: str
    profile: str
    started_at: str
    """ISO 8601, UTC."""
    duration_s: float
    verdict: Verdict
    exit_code: int
    reasons: list[str] = []
    """The reasons for the verdict, the most important first."""
    verdict_reasons: list[Notice] = []
    """The reasons again, each with its code and parameters."""
    warnings: list[str] = []
    """What could not be sampled, checked or kept; none changes the verdict."""
    notices: list[Notice] = []
    """The warnings again, each with its code and parameters."""
    totals: Totals = Totals()
    phases: list[PhaseSummary] = []
    benchmarks: list[BenchmarkFigures] = []
    gates: list[GateResult] = []
    generator: Generator = Generator()
    ends: list[ProcessEnd] = []
    """Processes of the target that died during the load."""
    leaks: list[Leak] = []
    suspects: list[Suspect] = []
    """The functions that certainly cost more CPU per request than in the baseline."""
    candidates: list[Suspect] = []
    """Those that are likely to."""
    profile_notes: list[Notice] = []
    """What the comparison of the profiles could not see, and why."""
    explanations: list[Explanation] = []
    """Why gates failed and figures got worse, one for each place (phase and endpoint) and kind of figure."""
    failures: list[FailureKind] = []
    statements: list[EndpointStatements] = []
    """What traced requests did inside the target; each phase in order, its endpoints by the time spent on them."""
    baseline: BaselineRef | None = None
    changes: list[Change] = []
    """Of all figures that the baseline has, too; each measured phase in order. In a duet, from build A to build B."""
    duet: Duet | None = None
    artifacts: dict[str, str] = {}

    @property
    def findings(self) -> list[ProcessEnd | Leak]:
        """What the run found out about the target's processes, the gravest first."""
        return [*self.ends, *self.leaks]

    def decided(self, reasons: Sequence[Message]) -> Self:
        """This summary with the reasons of its verdict."""
        notices = [Notice.of(reason) for reason in reasons]
        return self.model_copy(update={"reasons": [notice.text for notice in notices], "verdict_reasons": notices})

    def warned(self, *warnings: Message | str) -> Self:
        """This summary with ``warnings`` added."""
        notices = [Notice.of(warning) for warning in warnings if isinstance(warning, Message)]
        return self.model_copy(
            update={
                "warnings": [*self.warnings, *map(str, warnings)],
                "notices": [*self.notices, *notices],
            }
        )

    def to_json(self) -> str:
        """The content of ``summary.json``. Control characters are escaped: it may go to a terminal."""
        return steering_escaped(self.model_dump_json(by_alias=True, indent=2)) + "\n"
