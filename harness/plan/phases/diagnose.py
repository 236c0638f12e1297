"""``diagnose``: the pass under memray, after everything that is measured, at a load that ran before.

memray costs about half the throughput, so nothing of this phase is ever gated. Users cannot write it; the plan adds it,
and the run leaves it out where nothing could be recorded in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never

from harness.plan.dsl import PhaseSpec
from harness.plan.model.phase import Phase, Segment
from harness.plan.phases import MEMORY_PASS, phase_kind
from harness.plan.phases.base import Level, PhaseConfig
from harness.quantities import Duration, duration_text


class Diagnose(PhaseConfig):
    """At the level of ``source`` for ``duration``."""

    kind = MEMORY_PASS

    name: str = MEMORY_PASS
    source: Phase
    level: float
    duration: Duration

    @staticmethod
    def call(**unknown: Never) -> PhaseSpec:  # noqa: ARG004
        raise TypeError("a scenario cannot state the memory pass")

    def resolve(self, previous: Level) -> Phase:  # noqa: ARG002  (the same after any phase)
        return self.phase(
            f"{Level(self.source.model, self.level)} for {duration_text(self.duration)}, memory recorded",
            Segment(start=self.level, end=self.level, duration_s=self.duration),
            model=self.source.model,
            max_users=self.source.max_users,
            spacing=self.source.spacing,
        )


def diagnose(phases: Sequence[Phase], duration_s: float) -> Phase | None:
    """The pass for these phases: at the load of the last steady one, else the highest before the first stress phase,
    else that phase's first step. None where no load is known beforehand, as with a LoadTestShape alone.
    """
    source = _source(phases)
    if source is None:
        return None
    phase, level = source
    config = Diagnose(source=phase, level=level, duration=duration_s)
    return config.resolve(Level(phase.model, level))


def _source(phases: Sequence[Phase]) -> tuple[Phase, float] | None:
    """The phase whose load the pass repeats, and its level."""
    held = [phase for phase in phases if phase_kind(phase.kind).one_level]
    if held:
        return held[-1], held[-1].segments[-1].end
    first = next((at for at, phase in enumerate(phases) if phase_kind(phase.kind).by_steps), len(phases))
    peaks = [
        (phase, max(max(part.start, part.end) for part in phase.segments)) for phase in phases[:first] if phase.segments
    ]
    loaded = [peak for peak in peaks if peak[1] > 0]
    if loaded:
        return max(loaded, key=lambda peak: peak[1])
    return (phases[first], phases[first].segments[0].start) if first < len(phases) else None
