"""``steady``: one level of load, held. What gates read by default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Never

from harness.plan.dsl import Goal, PhaseSpec, Time, phase_spec
from harness.plan.model.phase import Phase, Segment
from harness.plan.phases.base import GoalConfig, Level
from harness.quantities import Duration, Rate, Users, duration_text


class Steady(GoalConfig):
    """``users = 50`` or ``rate = "200/s"``, for ``duration``."""

    kind = "steady"
    also_called = ("constant", "soak", "load", "hold")
    measured = True
    one_level = True
    call_keys: ClassVar[Mapping[str, str]] = {"hold": "duration"}

    users: Users | None = None
    rate: Rate | None = None
    duration: Duration

    @staticmethod
    def call(
        *,
        users: Goal | None = None,
        rate: Goal | None = None,
        hold: Time | None = None,
        name: str | None = None,
        max_users: int | None = None,
        spacing: str | None = None,
        **unknown: Never,
    ) -> PhaseSpec:
        """Hold ``users`` (closed model) or ``rate`` arrivals per second (open model) for ``hold``."""
        return phase_spec("steady", locals())

    def resolve(self, previous: Level) -> Phase:  # noqa: ARG002  (the same after any phase)
        held = self.users or self.rate or 0
        segment = Segment(start=held, end=held, duration_s=self.duration)
        return self.phase(f"{self.level(held)} for {duration_text(self.duration)}", segment)
