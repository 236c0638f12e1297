"""The plan of a run, and the gates and the contract in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from harness.plan.frozen import Frozen, Redacted
from harness.plan.model.fault import PlannedFault, PlannedProxy
from harness.plan.model.phase import Phase
from harness.plan.model.sampling import Sampling
from harness.plan.model.scenario import Scenario
from harness.plan.model.target import AllowedHost, AttachedTarget, CommandTarget, ShopTarget, Variant
from harness.plan.requirement import Comparison
from harness.plan.toml_values import redacted_setting
from harness.record.redaction import redacted, redacted_words

DUET = " (duet)"
"""What the profile of a duet ends with where runs are stored: it is compared with no run of one build."""


def _redacted_overrides(overrides: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(redacted_setting, overrides))


class Gate(Frozen):
    """One requirement on the run: on every measured phase if ``phase`` is None, on all requests if ``endpoint`` is."""

    comparison: Comparison
    phase: str | None = None
    endpoint: Annotated[str | None, Redacted(redacted)] = None
    default: bool = False
    """Whether the harness added it, as the user has stated no gates."""


class ContractPlan(Frozen):
    """What the target has promised: an OpenAPI document that responses are checked against, and Pact files."""

    openapi: Annotated[str | None, Redacted(redacted)] = None
    """An absolute path of this machine, or where the target serves it: a path or a URL."""
    checks: tuple[str, ...] = ()
    """Some of :data:`harness.contracts.checks.CHECKS`."""
    sample: float = 0.0
    """The share (0…1) of the responses that are checked besides failures and the first of each kind."""
    pacts: tuple[str, ...] = ()
    """Absolute paths; they are verified before the load."""
    provider: str | None = None
    """What the pacts must call the target."""
    provider_states_url: Annotated[str | None, Redacted(redacted)] = None


class RunPlan(Frozen):
    """Everything needed to make the run, and to repeat it: put the secrets back into one that was redacted."""

    schema_version: Literal[1] = 1
    scenario: Scenario
    profile: str
    """The profile's name; ``default`` where the scenario's own phases and gates are used."""
    profile_given: str | None = None
    """The name or the file by which the user asked for it."""
    phases: tuple[Phase, ...]
    default_phases: bool = False
    """Whether the harness chose the phases, as the user has stated no load."""
    gates: tuple[Gate, ...]
    faults: tuple[PlannedFault, ...] = ()
    allowed_faults: tuple[str, ...] = ()
    """What faults may touch besides what the harness starts."""
    proxies: tuple[PlannedProxy, ...] = ()
    """Those that its faults act on."""
    sampling: Sampling
    contract: ContractPlan | None = None
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
    hook_timeout_s: float = 60.0
    """How long each of the scenario's ``setup``, ``verify`` and ``teardown`` may take."""
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
        return self.scenario.name, f"{self.profile}{DUET}" if self.is_duet else self.profile

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
