"""What all kinds of phases share: their traits, their name, and their goal in users or arrivals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Never

from pydantic import BaseModel, ConfigDict

from harness.errors import InvalidValue
from harness.plan.description import ScenarioDescription
from harness.plan.dsl import PhaseSpec
from harness.plan.model.phase import Model, Phase, Segment
from harness.quantities import Users, number_text


@dataclass(frozen=True)
class Level:
    """How much load: the number of users (closed model), or of arrivals per second (open model)."""

    model: Model
    value: float

    def __str__(self) -> str:
        number = number_text(self.value)
        if self.model == "open":
            return f"{number} arrivals/s"
        return "1 user" if self.value == 1 else f"{number} users"

    def in_model(self, model: Model) -> float:
        """The value where the model is the same, else 0: users do not turn into arrivals."""
        return self.value if self.model == model else 0.0


NO_LOAD = Level("closed", 0.0)


class PhaseConfig(BaseModel, ABC):
    """A phase as a user writes it, checked. Each kind has a file of its own, and every file the same order:

    its traits, its keys with their defaults, ``call`` for scenarios, ``problems`` for checks across keys, ``resolve``
    for the load engine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str]
    also_called: ClassVar[tuple[str, ...]] = ()
    """Words for the kind that people bring from elsewhere."""
    synonyms: ClassVar[Mapping[str, str]] = {}
    """Words for its keys that people bring from elsewhere, and the key that each means."""

    measured: ClassVar[bool] = False
    """Whether gates that name no phase read it."""
    has_load: ClassVar[bool] = True
    """Whether there is anything to measure or to sample."""
    one_level: ClassVar[bool] = False
    """Whether it holds one level throughout, so that figures over time are comparable."""
    by_steps: ClassVar[bool] = False
    """Whether its figures are those of the steps that held, the last of which is the capacity."""
    grows_evenly: ClassVar[bool] = False
    """Whether its load is still growing towards its level while it runs."""

    call_keys: ClassVar[Mapping[str, str]] = {}
    """What an argument of ``call`` is called in a profile, if otherwise."""
    levels: ClassVar[tuple[str, ...]] = ()
    """What the parts of a tuple mean that a call has for its goal: ``users=(50, 400, 50)``."""
    goal_arguments: ClassVar[tuple[str, ...]] = ()
    """Arguments of ``call`` that a profile has in the goal's table."""

    name: str

    @staticmethod
    @abstractmethod
    def call(**unknown: Never) -> PhaseSpec:
        """What a scenario calls; unknown arguments are recorded too, and reported with all other problems."""

    @classmethod
    def problems(
        cls,
        table: Mapping[str, Any],  # noqa: ARG003
        scenario: ScenarioDescription,  # noqa: ARG003
    ) -> Iterator[InvalidValue]:
        """What is wrong across keys. Reads the raw table, since it is reported along with problems of single keys."""
        yield from ()

    @abstractmethod
    def resolve(self, previous: Level) -> Phase:
        """The phase for the load engine, following one that ended at ``previous``, and what it does in one line.

        Raises ``InvalidValue`` for what makes no sense after ``previous``.
        """

    def level_after(self, phase: Phase) -> Level:
        """Where ``phase``, resolved from this, leaves the load."""
        return Level(phase.model, phase.segments[-1].end) if phase.segments else NO_LOAD

    def phase(self, description: str, *segments: Segment, **more: Any) -> Phase:
        """The resolved phase, with all that kinds share filled in."""
        filled = {"model": NO_LOAD.model, "measured": self.measured, **more}
        return Phase(name=self.name, kind=self.kind, segments=segments, description=description, **filled)


DEFAULT_MAX_USERS = 1000
"""Of the open model. Enough for 100 arrivals/s that take 10 s each, and no burden for a worker."""


class GoalConfig(PhaseConfig):
    """A phase that has a goal: ``users`` or ``rate``, exactly one of them."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "user": "users", "vus": "users", "concurrency": "users", "arrival_rate": "rate", "arrivals": "rate",
        "rps": "rate", "over": "duration", "hold": "duration", "time": "duration", "for": "duration",
        "length": "duration",
    }  # fmt: skip

    max_users: Users | None = None
    spacing: Literal["even", "poisson"] = "even"

    @classmethod
    def problems(cls, table: Mapping[str, Any], scenario: ScenarioDescription) -> Iterator[InvalidValue]:  # noqa: ARG003
        goals = [key for key in ("users", "rate") if key in table]
        if len(goals) == 2:
            yield InvalidValue("phase-two-goals", key="rate")
        if not goals and set(table) <= set(cls.model_fields):  # else the goal may be behind an unknown key
            yield InvalidValue("phase-without-goal")
        for key in ("max_users", "spacing"):
            if key in table and goals == ["users"]:
                yield InvalidValue("phase-key-of-open-model", key=key, word=key)

    @property
    def model(self) -> Model:
        return "open" if getattr(self, "rate", None) is not None else "closed"

    def level(self, value: float) -> Level:
        """``value`` in this phase's unit."""
        return Level(self.model, value)

    def phase(self, description: str, *segments: Segment, **more: Any) -> Phase:
        max_users = (self.max_users or DEFAULT_MAX_USERS) if self.model == "open" else None
        return super().phase(
            description, *segments, model=self.model, max_users=max_users, spacing=self.spacing, **more
        )


def table_of(value: object, only: str | None, parts: tuple[str, ...]) -> object:
    """A goal as a table: a single value becomes the part ``only``.

    Raises ``InvalidValue`` for a single value where ``only`` is None, since all ``parts`` are needed.
    """
    if isinstance(value, Mapping):
        return value
    if only is None:
        raise InvalidValue("goal-is-one-value", value=value, parts=parts)
    return {only: value}
