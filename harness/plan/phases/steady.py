"""``steady``: one level of load, held. What gates read by default."""

from __future__ import annotations

from harness.plan.model import Phase, Segment
from harness.plan.phases.base import GoalConfig, Level
from harness.plan.quantities import Duration, Rate, Users, duration_text


class Steady(GoalConfig):
    """``users = 50`` or ``rate = "200/s"``, for ``duration``."""

    kind = "steady"

    users: Users | None = None
    rate: Rate | None = None
    duration: Duration

    def _held(self) -> Level:
        return self.level(self.users or self.rate or 0)

    def describe(self, previous: Level) -> str:  # noqa: ARG002  (the same after any phase)
        return f"{self._held()} for {duration_text(self.duration)}"

    def resolve(self, previous: Level) -> Phase:
        held = self._held().value
        return self.phase(previous, (Segment(start=held, end=held, duration_s=self.duration),), measured=True)
