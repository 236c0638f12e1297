"""The kinds of phases, one file each, all of one shape. A new kind is a new file and a line here."""

from __future__ import annotations

from harness.plan.phases.base import NO_LOAD, Level, PhaseConfig
from harness.plan.phases.diagnose import diagnose
from harness.plan.phases.pause import Pause
from harness.plan.phases.ramp import Ramp
from harness.plan.phases.shape import Shape
from harness.plan.phases.spike import Spike
from harness.plan.phases.steady import Steady
from harness.plan.phases.stress import Stress

KINDS: dict[str, type[PhaseConfig]] = {config.kind: config for config in (Ramp, Steady, Stress, Spike, Pause, Shape)}

__all__ = ["KINDS", "NO_LOAD", "Level", "PhaseConfig", "diagnose"]
