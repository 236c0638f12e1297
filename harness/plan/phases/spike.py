"""``spike``: the load jumps to a peak, stays, and falls back, as when a link is shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Never

from pydantic import ValidationInfo, field_validator

from harness.errors import InvalidValue
from harness.plan.dsl import Goal, PhaseSpec, Time, phase_spec
from harness.plan.model.phase import Phase, Segment
from harness.plan.phases.base import GoalConfig, Level
from harness.quantities import Duration, Rate, Users, duration_text, number_text, parse_rate, parse_users


class Spike(GoalConfig):
    """From ``base`` to ``users`` or ``rate`` within ``over``, there for ``hold``, and back within ``over``.

    ``base`` is by default the level at which the phase before ended.
    """

    kind = "spike"
    also_called = ("burst", "peak")
    measured = True
    synonyms: ClassVar[Mapping[str, str]] = {
        **GoalConfig.synonyms, "duration": "hold", "time": "hold", "for": "hold", "from": "base", "ramp": "over",
    }  # fmt: skip

    users: Users | None = None
    rate: Rate | None = None
    base: float | None = None
    over: Duration = 1.0
    hold: Duration

    @staticmethod
    def call(
        *,
        users: Goal | None = None,
        rate: Goal | None = None,
        over: Time | None = None,
        hold: Time | None = None,
        base: Goal | None = None,
        name: str | None = None,
        max_users: int | None = None,
        spacing: str | None = None,
        **unknown: Never,
    ) -> PhaseSpec:
        """Go from ``base`` to a peak of ``users`` or ``rate`` within ``over``, stay for ``hold``, and return as fast.

        ``base`` is in the peak's unit; by default the level of the phase before. ``over`` is 1 s by default.
        """
        return phase_spec("spike", locals())

    @field_validator("base", mode="before")
    @classmethod
    def _in_the_unit_of_the_peak(cls, value: object, info: ValidationInfo) -> float:
        return parse_users(value) if info.data.get("users") is not None else parse_rate(value)

    def resolve(self, previous: Level) -> Phase:
        base = previous.in_model(self.model) if self.base is None else self.base
        peak = self.users or self.rate or 0
        level = self.level(peak)
        if base >= peak:
            raise InvalidValue(
                "spike-not-above-base",
                peak=str(level),
                base=number_text(base),
                key="base" if self.base is not None else "rate" if self.model == "open" else "users",
            )
        over, hold = duration_text(self.over), duration_text(self.hold)
        return self.phase(
            f"{number_text(base)} → {level} within {over}, held for {hold}, and back",
            Segment(start=base, end=peak, duration_s=self.over),
            Segment(start=peak, end=peak, duration_s=self.hold),
            Segment(start=peak, end=base, duration_s=self.over),
        )
