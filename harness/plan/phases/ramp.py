"""``ramp``: the load changes evenly from one level to another, as a warm-up or on the way to a peak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Generic, Never, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness.plan.dsl import Goal, PhaseSpec, Time, phase_spec
from harness.plan.model.phase import Phase, Segment
from harness.plan.phases.base import GoalConfig, Level, table_of
from harness.quantities import Duration, RateOrZero, UsersOrZero, duration_text, number_text

_Value = TypeVar("_Value")


class FromTo(BaseModel, Generic[_Value]):
    """Both ends of a ramp. Without ``from`` it begins where the phase before ended."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    from_: _Value | None = Field(None, alias="from")
    to: _Value


def _ends(value: object) -> object:
    return table_of(value, "to", ("from", "to"))


class Ramp(GoalConfig):
    """``users = 50`` or ``rate = {from = 10, to = 200}``, within ``duration``. Not measured: it changes."""

    kind = "ramp"
    also_called = ("warm-up", "warmup")
    grows_evenly = True
    call_keys: ClassVar[Mapping[str, str]] = {"over": "duration"}
    levels = ("from", "to")

    users: Annotated[FromTo[UsersOrZero], BeforeValidator(_ends)] | None = None
    rate: Annotated[FromTo[RateOrZero], BeforeValidator(_ends)] | None = None
    duration: Duration

    @staticmethod
    def call(
        *,
        users: Goal | None = None,
        rate: Goal | None = None,
        over: Time | None = None,
        name: str | None = None,
        max_users: int | None = None,
        spacing: str | None = None,
        **unknown: Never,
    ) -> PhaseSpec:
        """Change the load evenly to ``users`` (closed model) or ``rate`` arrivals per second (open model).

        It begins at the level of the phase before; a pair, ``users=(10, 50)``, sets both ends. In the open model
        ``max_users`` limits the users, and arrivals are spread evenly or, with ``spacing="poisson"``, at random.
        """
        return phase_spec("ramp", locals())

    def resolve(self, previous: Level) -> Phase:
        goal = self.users or self.rate
        assert goal is not None
        start = previous.in_model(self.model) if goal.from_ is None else goal.from_
        segment = Segment(start=start, end=goal.to, duration_s=self.duration)
        end, over = self.level(goal.to), duration_text(self.duration)
        return self.phase(f"{number_text(start)} → {end} over {over}", segment)
