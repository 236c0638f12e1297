"""The plan of a run: frozen, complete, stored as ``plan.json``. Everything after it relies on it being valid.

The goal of a phase is a number of *users* (closed model) or of *arrivals per second* (open model). Every kind of phase
becomes **segments**, in which the goal changes linearly. The load engine knows only segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from harness.plan.frozen import Frozen, Redacted
from harness.plan.phases import KINDS, MEMORY_PASS
from harness.plan.requirement import Comparison, Condition
from harness.plan.toml_values import redacted_setting
from harness.record.measurement import ONLY
from harness.record.redaction import redacted, redacted_command, redacted_settings, redacted_words

Model = Literal["closed", "open"]
_Text = Annotated[str, Redacted(redacted)]
_Settings = Annotated[dict[str, str], Redacted(redacted_settings)]


def _known_kind(kind: str) -> str:
    if kind not in (*KINDS, MEMORY_PASS):
        raise ValueError(f"there is no kind of phase {kind}")
    return kind


def _redacted_overrides(overrides: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(redacted_setting, overrides))


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


class Gate(Frozen):
    """One requirement on the run: on every measured phase if ``phase`` is None, on all requests if ``endpoint`` is."""

    comparison: Comparison
    phase: str | None = None
    endpoint: Annotated[str | None, Redacted(redacted)] = None
    default: bool = False
    """Whether the harness added it, as the user has stated no gates."""


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


class CpuSampling(Frozen):
    rate_hz: int = 100


class MemorySampling(Frozen):
    duration_s: float = 10.0


TRACED_SHARE = 0.05
"""Of the requests in measured phases: recording their spans costs under 2 % of the target's throughput."""


class TraceSampling(Frozen):
    """Some requests ask the target for its spans. In the ``diagnose`` phase, all do."""

    share: float = TRACED_SHARE
    """Of the requests in all other phases (0…1), within limits per second (:mod:`harness.engine.http.tracing`)."""
    instrument: bool = True
    """Whether a Python target is started under ``opentelemetry-instrument``."""
    listen: str | None = None
    """Where spans are received (``--otlp``); None: on loopback."""
    url: Annotated[str | None, Redacted(redacted)] = None
    """Where people find a trace: ``https://tracing.example/trace/{trace_id}``."""

    def share_in(self, kind: str) -> float:
        """Which share of the requests of a phase of this kind asks for spans."""
        return 1.0 if kind == MEMORY_PASS else self.share


class MetricsSource(Frozen):
    """A server whose metrics are read each second: ``[metrics.NAME]``."""

    name: str
    kind: str
    """One of :data:`harness.sources.SOURCES`."""
    url: _Text
    """A path is one on the target."""
    series: tuple[str, ...] = ()
    """What is kept of a page that offers more."""
    ratios: dict[str, str] = Field(default_factory=dict)
    """Quotients by their names: ``{"hit_ratio": "hits / (hits + misses)"}``."""


class Sampling(Frozen):
    """What is sampled; None switches one off."""

    cpu: CpuSampling | None = CpuSampling()
    memory: MemorySampling | None = MemorySampling()
    traces: TraceSampling | None = None
    metrics: tuple[MetricsSource, ...] = ()


class UserClass(Frozen):
    """One Locust user class of the scenario; ``tasks`` maps each task's name to its share of the iterations (0…1).

    ``is_http``: Locust's or the harness's client sends its requests, so that its ``host`` is a URL.
    """

    name: str
    weight: float
    fixed_count: int
    host: Annotated[str | None, Redacted(redacted)]
    tasks: dict[str, float]
    is_http: bool = True


class Scenario(Frozen):
    """The scenario file as ``harness.engine.scenario.describe`` found it."""

    path: str
    """Absolute; the first of several files."""
    files: tuple[str, ...] = ()
    """All of its files, absolute, if there are several (see ``harness.plan.locustfiles``)."""
    name: str
    """The file's name without ``.py``."""
    sha256: str
    user_classes: tuple[UserClass, ...]
    left_out: dict[str, str] = Field(default_factory=dict)
    """User classes without tasks: the name and the place of each."""
    has_verify: bool = False
    has_shape: bool = False

    @property
    def locustfiles(self) -> tuple[str, ...]:
        """The files to import, in this order."""
        return self.files or (self.path,)


class ShopTarget(Frozen):
    """The embedded shop; ``environment`` is added to that of its process."""

    kind: Literal["shop"] = "shop"
    environment: _Settings = Field(default_factory=dict)


class CommandTarget(Frozen):
    """A target that the harness starts, ready when ``ready_path`` returns 2xx. ``command`` may contain ``{port}``."""

    kind: Literal["command"] = "command"
    command: Annotated[str, Redacted(redacted_command)]
    folder: str | None = None
    """Where it is started; None: where the harness was."""
    revision: str | None = None
    """Which commit that folder is a checkout of, as :class:`harness.targets.worktrees.Build` names it."""
    ready_path: _Text = "/health"
    ready_timeout_s: float = 60.0
    environment: _Settings = Field(default_factory=dict)


class AttachedTarget(Frozen):
    """A running target. Samplers watch the process ``pid`` on this machine; without one, nothing is sampled.

    ``url`` is empty where users that are not HTTP users find their targets themselves, without a ``host``.
    """

    kind: Literal["attached"] = "attached"
    url: _Text
    allowed: bool = False
    """Whether the user allowed its host by name, since it is not this machine."""
    pid: int | None = None
    own_hosts: bool = False
    """Whether ``url`` is the ``host`` of a user class. Each keeps its own; HTTP users without one use ``url``."""


class AllowedHost(Frozen):
    """Another machine that load may be sent to, or this one if it has a rate limit.

    ``host`` as :func:`harness.plan.hosts.host_key` spells it; ``max_rate`` is the most requests a second that all
    workers together may send it; None: no limit.
    """

    host: str
    max_rate: int | None = None


Target = Annotated[ShopTarget | CommandTarget | AttachedTarget, Field(discriminator="kind")]


class Variant(Frozen):
    """A target, and the name of its figures: one in a normal run; in a duet several, of two builds."""

    name: str = ONLY
    target: Target


class RunPlan(Frozen):
    """Everything needed to make the run, and to repeat it: put the secrets back into one that was redacted."""

    schema_version: Literal[1] = 1
    scenario: Scenario
    profile: str
    """The profile's name; ``default`` where the scenario's own phases and gates are used."""
    phases: tuple[Phase, ...]
    default_phases: bool = False
    """Whether the harness chose the phases, as the user has stated no load."""
    gates: tuple[Gate, ...]
    sampling: Sampling
    targets: tuple[Variant, ...]
    allowed_hosts: tuple[AllowedHost, ...] = ()
    """Where load may be sent besides this machine, and at what rate."""
    secret_names: tuple[str, ...] = Field((), validation_alias=AliasChoices("secret_names", "mask"))
    """Names of the user's own secrets (``redact`` of the project and the profile)."""
    workers: int
    """Load workers on this machine."""
    remote_workers: int = 0
    """Load workers that join from other machines (``--bind``)."""
    seed: int
    stop_early: bool = False
    """End the run when a gate has failed beyond recovery."""
    stop_timeout_s: float = 10.0
    """How long a stopping user may take to finish its iteration before its request is interrupted."""
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()
    arguments: Annotated[tuple[str, ...], Redacted(redacted_words)] = ()
    """What follows ``--`` on the command line: the locustfile's own arguments, and the user classes to run."""
    overrides: Annotated[tuple[str, ...], Redacted(_redacted_overrides)] = ()
    """Each ``--set KEY=VALUE``; those of ``harness.run(set={…})`` in the same form."""

    @model_validator(mode="before")
    @classmethod
    def _of_one_target(cls, data: Any) -> Any:
        """Plans of earlier versions have one target, without a name."""
        if isinstance(data, Mapping) and "target" in data:
            return {key: value for key, value in data.items() if key != "target"} | {
                "targets": [{"target": data["target"]}]
            }
        return data

    @property
    def target(self) -> ShopTarget | CommandTarget | AttachedTarget:
        """The target of the first variant, which is the only one except in a duet."""
        return self.targets[0].target

    @property
    def is_duet(self) -> bool:
        """Whether several targets take turns."""
        return len(self.targets) > 1

    def target_of(self, worker: int) -> int:
        """The number of the target that the worker with this number puts load on."""
        return worker % len(self.targets)

    def of_target(self, number: int) -> RunPlan:
        """The plan as the workers of one target see it."""
        return self.model_copy(update={"targets": (self.targets[number],)})

    @property
    def key(self) -> tuple[str, str]:
        """Scenario and profile: runs with the same ones are comparable, in one environment."""
        return self.scenario.name, f"{self.profile} (duet)" if self.is_duet else self.profile

    @property
    def duration_s(self) -> float:
        """The longest that the phases can take, without a shape, which ends itself."""
        return sum(phase.duration_s for phase in self.phases)

    @property
    def peak_users(self) -> int:
        """The most users that the phases ask for, or allow; at least 1."""
        levels = [max(s.start, s.end) for phase in self.phases if phase.model == "closed" for s in phase.segments]
        allowed = [phase.max_users or 0 for phase in self.phases]
        return max(1, *map(round, levels), *allowed)

    @property
    def all_workers(self) -> int:
        """On all machines together."""
        return self.workers + self.remote_workers
