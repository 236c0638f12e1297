"""``pause``: no load. How the target behaves meanwhile and afterwards shows whether it recovers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Never

from harness.plan.dsl import PhaseSpec, Time, phase_spec
from harness.plan.model.phase import Phase, Segment
from harness.plan.phases.base import Level, PhaseConfig
from harness.quantities import Duration, duration_text


class Pause(PhaseConfig):
    """No load for ``duration``. Never measured, and no gate can name it: there is nothing to read."""

    kind = "pause"
    also_called = ("sleep", "wait")
    has_load = False
    synonyms: ClassVar[Mapping[str, str]] = {"over": "duration", "hold": "duration", "time": "duration"}

    duration: Duration

    @staticmethod
    def call(duration: Time | None = None, *, name: str | None = None, **unknown: Never) -> PhaseSpec:
        """Put no load on the target for ``duration``. What it does afterwards shows whether it recovered."""
        return phase_spec("pause", locals())

    def resolve(self, previous: Level) -> Phase:  # noqa: ARG002  (the same after any phase)
        segment = Segment(start=0, end=0, duration_s=self.duration)
        return self.phase(f"no load for {duration_text(self.duration)}", segment)
