"""How much the figures of one build vary from run to run on one machine: ``harness calibrate --json``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoiseFloor(_Part):
    """One figure. Deviations and changes are relative (0.05: 5 %), of a share the difference (0.05: 5 points)."""

    phase: str
    endpoint: str
    """Empty: all endpoints together."""
    metric: str
    unit: str
    mean: float
    at_equal_speed: bool = False
    """Whether the speed of the machine was taken out."""
    within: float | None
    """Standard deviation within a run, by its interval: longer phases make it smaller. Null: too few requests."""
    between: float
    """Standard deviation between runs that longer phases do not change: the noise floor."""
    detectable: float
    """The smallest change that one run shows with 95 % power, against a window of ten."""
    detectable_twice_as_long: float
    """The same with phases of twice the length."""
    detectable_pooled: float
    """The same for four runs together."""
    limit: float
    """The tightest limit (a change from the baseline) that an unchanged build passes with 95 % probability."""


class Calibration(_Part):
    """The noise floors of one scenario and profile in one environment."""

    scenario: str
    profile: str
    fingerprint: str
    run_ids: list[str]
    floors: list[NoiseFloor]

    def floor(self, phase: str, endpoint: str, metric: str) -> NoiseFloor | None:
        """That of one figure; None if it was not measured."""
        return next(
            (one for one in self.floors if (one.phase, one.endpoint, one.metric) == (phase, endpoint, metric)), None
        )

    def between(self, phase: str, endpoint: str, metric: str, *, at_equal_speed: bool) -> float | None:
        """The standard deviation between runs of one figure, compared in that way; None if it was not measured."""
        floor = self.floor(phase, endpoint, metric)
        return floor.between if floor is not None and floor.at_equal_speed == at_equal_speed else None
