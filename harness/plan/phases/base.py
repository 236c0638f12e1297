"""What all kinds of phases share: where they begin and end, their name, and their goal in users or arrivals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from harness.plan.model import Model, Phase, PhaseKind, Segment
from harness.plan.problems import InvalidValue, quoted
from harness.plan.quantities import Users, number_text


@dataclass(frozen=True)
class Level:
    """How much load: so many users (closed model), or so many arrivals per second (open model)."""

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
    """A phase as it is written, checked. Each kind has a file of its own, and each the same parts:

    its keys with their defaults and checks; ``problems_between_keys``; ``describe``, for people; ``resolve``, for the
    load engine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[PhaseKind]
    synonyms: ClassVar[Mapping[str, str]] = {}
    """Words people bring from elsewhere, and the key that they mean."""

    name: str

    @classmethod
    def problems_between_keys(cls, table: Mapping[str, Any]) -> Iterator[InvalidValue]:  # noqa: ARG003
        """What is wrong with the keys together. Told besides the faults of single keys, so it reads the raw table."""
        yield from ()

    @abstractmethod
    def describe(self, previous: Level) -> str:
        """What the phase does, as a person reads it, when it follows a phase that ended at ``previous``."""

    @abstractmethod
    def resolve(self, previous: Level) -> Phase:
        """The phase for the load engine. Raises ``InvalidValue`` for what makes no sense after ``previous``."""

    def level_after(self, phase: Phase) -> Level:
        """Where ``phase``, resolved from this, leaves the load."""
        return Level(phase.model, phase.segments[-1].end) if phase.segments else NO_LOAD


DEFAULT_MAX_USERS = 1000
"""Of the open model: 100 arrivals/s that take 10 s each are in flight at once, and a worker holds as many with ease."""


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
    def problems_between_keys(cls, table: Mapping[str, Any]) -> Iterator[InvalidValue]:
        goals = [key for key in ("users", "rate") if key in table]
        if len(goals) == 2:
            yield InvalidValue(
                "has both users and rate",
                "keep one: users for the closed model, rate (arrivals/s) for the open",
                key="rate",
            )
        if not goals and set(table) <= set(cls.model_fields):  # else a key that is told as unknown may be the goal
            yield InvalidValue("has no goal", "give it users, or rate in arrivals per second")
        for key in ("max_users", "spacing"):
            if key in table and goals == ["users"]:
                yield InvalidValue(f"{key} means nothing with users", f"{key} is for rate, the open model", key=key)

    @property
    def model(self) -> Model:
        return "open" if getattr(self, "rate", None) is not None else "closed"

    def level(self, value: float) -> Level:
        """``value`` in this phase's unit."""
        return Level(self.model, value)

    def phase(self, previous: Level, segments: tuple[Segment, ...], *, measured: bool, **more: Any) -> Phase:
        """The resolved phase with all that goals share filled in."""
        return Phase(
            name=self.name,
            kind=self.kind,
            model=self.model,
            segments=segments,
            max_users=(self.max_users or DEFAULT_MAX_USERS) if self.model == "open" else None,
            spacing=self.spacing,
            measured=measured,
            description=self.describe(previous),
            **more,
        )


def table_of(value: object, only: str | None, parts: tuple[str, ...]) -> object:
    """A goal written as a table stays one; a single value is the part ``only``, where one may stand for all.

    Raises ``InvalidValue`` for a single value where all ``parts`` are needed.
    """
    if isinstance(value, Mapping):
        return value
    if only is None:
        needed = ", ".join(parts)
        raise InvalidValue(f"{quoted(value)} is one value where several are needed", f"give {needed}")
    return {only: value}
