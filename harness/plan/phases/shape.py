"""``shape``: the scenario's own ``LoadTestShape`` sets the users, second by second, and ends the phase."""

from __future__ import annotations

from harness.plan.model import Phase
from harness.plan.phases.base import NO_LOAD, Level, PhaseConfig


class Shape(PhaseConfig):
    """No keys: all is in the scenario's class. Measured, since it may be all there is."""

    kind = "shape"

    def describe(self, previous: Level) -> str:  # noqa: ARG002  (the same after any phase)
        return "users as the scenario's LoadTestShape sets them"

    def resolve(self, previous: Level) -> Phase:
        return Phase(
            name=self.name, kind=self.kind, model=NO_LOAD.model, measured=True, description=self.describe(previous)
        )
