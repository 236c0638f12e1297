"""``search``: finds the capacity, the highest level that the target holds, in few steps."""

from __future__ import annotations

from typing import Annotated, Generic, Never, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.errors import InvalidValue
from harness.plan.dsl import Goal, PhaseSpec, Time, phase_spec
from harness.plan.expression import parse_limit
from harness.plan.model.phase import Phase, SearchRange, Segment
from harness.plan.phases.base import GoalConfig, Level, table_of
from harness.plan.requirement import Condition
from harness.quantities import Duration, Rate, Users, duration_text, number_text

_Value = TypeVar("_Value", int, float)


class Range(BaseModel, Generic[_Value]):
    """The levels ``from`` … ``to``."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    from_: _Value = Field(alias="from")
    to: _Value

    @model_validator(mode="after")
    def _goes_up(self) -> Range[_Value]:
        if not 0 < self.from_ < self.to:
            raise InvalidValue("search-not-upwards", start=self.from_, end=self.to)
        return self


def _range(value: object) -> object:
    return table_of(value, None, ("from", "to"))


class Search(GoalConfig):
    """``rate = {from = 50, to = 2000}`` (or ``users``): the highest level at which ``until`` does not come true.

    Not measured: it is meant to break. Its figure is the metric ``capacity`` (of users: ``capacity_users``).
    """

    kind = "search"
    also_called = ("capacity", "breakpoint", "find")
    by_steps = True
    levels = ("from", "to")

    users: Annotated[Range[Users], BeforeValidator(_range)] | None = None
    rate: Annotated[Range[Rate], BeforeValidator(_range)] | None = None
    until: Annotated[Condition, BeforeValidator(parse_limit)]
    every: Duration = 6.0
    within: Duration = 600.0

    @staticmethod
    def call(
        *,
        users: Goal | None = None,
        rate: Goal | None = None,
        until: str | None = None,
        every: Time | None = None,
        within: Time | None = None,
        name: str | None = None,
        max_users: int | None = None,
        spacing: str | None = None,
        **unknown: Never,
    ) -> PhaseSpec:
        """Find the highest level at which ``until``, such as ``"p95 > 500ms or error_rate > 1%"``, is not true.

        ``users`` or ``rate`` is (first level, highest level to try). Each step takes at least ``every`` (6 s) and at
        most four times as long, all of them together no longer than ``within`` (10 minutes).
        """
        return phase_spec("search", locals())

    def resolve(self, previous: Level) -> Phase:  # noqa: ARG002  (the same after any phase)
        levels = self.users or self.rate
        assert levels is not None
        return self.phase(
            f"the capacity between {number_text(levels.from_)} and {self.level(levels.to)}, steps of "
            f"{duration_text(self.every)} or longer, until {self.until.source}",
            # What the steps will be shows while they run: this is their range, and the time that they may take.
            Segment(start=levels.from_, end=levels.to, duration_s=self.within),
            until=self.until,
            search=SearchRange(start=levels.from_, to=levels.to, shortest_s=self.every),
        )

    def level_after(self, phase: Phase) -> Level:
        """The first step's level, so that later phases do not overload the target again."""
        return Level(phase.model, phase.segments[0].start)
