"""``ramp``: the load changes evenly from one level to another, as a warm-up or on the way up to a peak."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness.plan.model import Phase, Segment
from harness.plan.phases.base import GoalConfig, Level, table_of
from harness.plan.quantities import Duration, RateOrZero, UsersOrZero, duration_text, number_text

_Value = TypeVar("_Value")


class FromTo(BaseModel, Generic[_Value]):
    """Both ends of a ramp; without ``from`` it begins where the phase before ended."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    from_: _Value | None = Field(None, alias="from")
    to: _Value


def _ends(value: object) -> object:
    return table_of(value, "to", ("from", "to"))


class Ramp(GoalConfig):
    """``users = 50`` or ``rate = {from = 10, to = 200}``, within ``duration``. Not measured: it changes."""

    kind = "ramp"

    users: Annotated[FromTo[UsersOrZero], BeforeValidator(_ends)] | None = None
    rate: Annotated[FromTo[RateOrZero], BeforeValidator(_ends)] | None = None
    duration: Duration

    def _ends_after(self, previous: Level) -> tuple[Level, Level]:
        goal = self.users or self.rate
        assert goal is not None
        start = previous.in_model(self.model) if goal.from_ is None else goal.from_
        return self.level(start), self.level(goal.to)

    def describe(self, previous: Level) -> str:
        start, end = self._ends_after(previous)
        return f"{number_text(start.value)} → {end} over {duration_text(self.duration)}"

    def resolve(self, previous: Level) -> Phase:
        start, end = self._ends_after(previous)
        segment = Segment(start=start.value, end=end.value, duration_s=self.duration)
        return self.phase(previous, (segment,), measured=False)
