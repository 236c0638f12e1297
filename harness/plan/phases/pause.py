"""``pause``: no load. What the target does meanwhile, and after, shows whether it recovers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.plan.model import Phase, Segment
from harness.plan.phases.base import NO_LOAD, Level, PhaseConfig
from harness.plan.quantities import Duration, duration_text


class Pause(PhaseConfig):
    """No load for ``duration``. Never measured, and no gate may name it: there is nothing to read."""

    kind = "pause"
    synonyms: ClassVar[Mapping[str, str]] = {"over": "duration", "hold": "duration", "time": "duration"}

    duration: Duration

    def describe(self, previous: Level) -> str:  # noqa: ARG002  (the same after any phase)
        return f"no load for {duration_text(self.duration)}"

    def resolve(self, previous: Level) -> Phase:
        return Phase(
            name=self.name,
            kind=self.kind,
            model=NO_LOAD.model,
            segments=(Segment(start=0, end=0, duration_s=self.duration),),
            measured=False,
            description=self.describe(previous),
        )
