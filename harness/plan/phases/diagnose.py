"""``diagnose``: the pass that memray watches, after everything that is measured, at a load that ran before.

memray costs about half the throughput, so nothing of this phase is ever gated; users cannot write it, the plan adds it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.plan.model import Phase, Segment
from harness.plan.phases.base import Level
from harness.plan.quantities import duration_text

NAME = "diagnose"


def diagnose(phases: Sequence[Phase], duration_s: float) -> Phase | None:
    """The pass for these phases: at the load of the last steady one, else the highest before the first stress phase,
    else that phase's first step. None where no load can be told beforehand, as with a LoadTestShape alone.
    """
    source = _source(phases)
    if source is None:
        return None
    phase, level = source
    return Phase(
        name=NAME,
        kind="diagnose",
        model=phase.model,
        segments=(Segment(start=level, end=level, duration_s=duration_s),),
        max_users=phase.max_users,
        spacing=phase.spacing,
        measured=False,
        description=f"{Level(phase.model, level)} for {duration_text(duration_s)}, memory recorded",
    )


def _source(phases: Sequence[Phase]) -> tuple[Phase, float] | None:
    """The phase whose load the pass repeats, and its level."""
    steady = [phase for phase in phases if phase.kind == "steady"]
    if steady:
        return steady[-1], steady[-1].segments[-1].end
    kinds = [phase.kind for phase in phases]
    before = phases[: kinds.index("stress")] if "stress" in kinds else phases
    tops = [(phase, max(max(part.start, part.end) for part in phase.segments)) for phase in before if phase.segments]
    loaded = [top for top in tops if top[1] > 0]
    if loaded:
        return max(loaded, key=lambda top: top[1])
    stress = next((phase for phase in phases if phase.kind == "stress"), None)
    return (stress, stress.segments[0].start) if stress else None
