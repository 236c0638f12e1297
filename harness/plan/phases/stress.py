"""``stress``: the load goes up in steps until a limit breaks; the last step that held is the capacity."""

from __future__ import annotations

import math
from typing import Annotated, Generic, Never, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.errors import InvalidValue
from harness.plan.dsl import Goal, PhaseSpec, Time, phase_spec
from harness.plan.expression import parse_limit
from harness.plan.model.phase import Phase, Segment
from harness.plan.phases.base import GoalConfig, Level, table_of
from harness.plan.requirement import Condition
from harness.quantities import Duration, Rate, Users, duration_text, number_text

_Value = TypeVar("_Value", int, float)

MAX_STEPS = 1000
"""More is a slip of the pen: even at a second each they would take 17 minutes."""


class Staircase(BaseModel, Generic[_Value]):
    """The levels ``from``, ``from + step``, … up to ``to``, which is the last even if the steps miss it."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    from_: _Value = Field(alias="from")
    to: _Value
    step: _Value
    every: Duration

    @model_validator(mode="after")
    def _goes_up(self) -> Staircase[_Value]:
        if self.to <= self.from_:
            raise InvalidValue("stress-not-upwards", start=self.from_, end=self.to)
        if (self.to - self.from_) / self.step > MAX_STEPS:
            raise InvalidValue("stress-too-many-steps", most=MAX_STEPS)
        return self

    def levels(self) -> tuple[float, ...]:
        # The rounding keeps 0.1 + 2 * 0.1 from missing 0.3, and the last step from being taken twice.
        count: int = math.ceil(round((self.to - self.from_) / self.step, 9))
        return (*(round(self.from_ + index * self.step, 9) for index in range(count)), float(self.to))


def _staircase(value: object) -> object:
    return table_of(value, None, ("from", "to", "step", "every"))


class Stress(GoalConfig):
    """``rate = {from = 200, to = 2000, step = 200, every = "10s"}`` (or ``users``), ``until`` a limit breaks.

    Not measured: it is meant to break, so a gate reads it only by name.
    """

    kind = "stress"
    also_called = ("step", "steps")
    by_steps = True
    levels = ("from", "to", "step")
    goal_arguments = ("every",)

    users: Annotated[Staircase[Users], BeforeValidator(_staircase)] | None = None
    rate: Annotated[Staircase[Rate], BeforeValidator(_staircase)] | None = None
    until: Annotated[Condition, BeforeValidator(parse_limit)]

    @staticmethod
    def call(
        *,
        users: Goal | None = None,
        rate: Goal | None = None,
        every: Time | None = None,
        until: str | None = None,
        name: str | None = None,
        max_users: int | None = None,
        spacing: str | None = None,
        **unknown: Never,
    ) -> PhaseSpec:
        """Step the load up until a limit breaks; the last step that held is the capacity.

        ``users`` or ``rate`` is (first level, last level, step); each step takes ``every``; ``until`` is the limit,
        such as ``"p95 > 500ms or error_rate > 1%"``.
        """
        return phase_spec("stress", locals())

    def resolve(self, previous: Level) -> Phase:  # noqa: ARG002  (the same after any phase)
        steps = self.users or self.rate
        assert steps is not None
        return self.phase(
            f"{number_text(steps.from_)} → {self.level(steps.to)}, "
            f"+{number_text(steps.step)} every {duration_text(steps.every)}, until {self.until.source}",
            *(Segment(start=level, end=level, duration_s=steps.every) for level in steps.levels()),
            until=self.until,
        )

    def level_after(self, phase: Phase) -> Level:
        """The first step's level: how far the steps get is not known, and later phases must not overload again."""
        return Level(phase.model, phase.segments[0].start)
