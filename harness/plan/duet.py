"""The plan of a duet: two builds under the same load in turns of half a second each.

The turns come in blocks of four, ``ABBA`` or ``BAAB`` at random: within a block, whatever changes evenly over time (a
warming cache, a neighbour that grows) cancels out. See Box, Hunter & Hunter, *Statistics for Experimenters* (2005), on
blocking and randomisation. Each build may be started several times, as starts differ too; the blocks take them in turn.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from harness.messages import Message, Option, message
from harness.plan.expression import parse_requirement
from harness.plan.gating import reads
from harness.plan.model.phase import EVERY, Phase, Segment
from harness.plan.model.run import Gate, RunPlan
from harness.plan.model.target import AttachedTarget, PlannedTarget, Variant
from harness.plan.phases import MEMORY_PASS
from harness.plan.problems import Problems

A, B = "a", "b"
TURN_S = 0.5
BLOCK = 4
"""Turns."""
FEWEST_BLOCKS = 8
"""The fewest blocks of a measured phase: fewer do not show how blocks differ. A short phase has shorter turns."""
_SHORTEST_S = 4.0
MOST_STARTS = 8
MARGIN = (
    "mean <= baseline + 5%",
    "p95 <= baseline + 10%",
    "throughput >= baseline - 5%",
    "error_rate <= baseline + 1%",
)
"""What build B must keep to where the user has stated no gate that reads build A, which a duet's baseline is."""
MARGIN_OF_KNOWN = "cpu_per_request <= baseline + 5%"
"""Besides, where the processes of both builds are known: the margin that noise blurs least."""


def duet_plan(
    first: RunPlan, second: RunPlan, *, starts: int = 1, stop_early: bool = False, side_by_side: bool = False
) -> RunPlan:
    """One plan of two that differ in their targets only. Each phase takes as long as before, shared by both builds.

    Phases that search for a limit are left out, as the builds may break at different loads. With ``side_by_side``,
    every arrival of the open model goes to both builds in the same moment.
    Raises :class:`ManyProblemsError` where no measured phase is left, or where a ``LoadTestShape`` sets the load.
    """
    phases = [phase for phase in first.phases if phase.until is None and phase.kind != MEMORY_PASS]
    _check(first, phases, starts, stop_early=stop_early, side_by_side=side_by_side)
    rng = random.Random(first.seed)
    pair = (Variant(name=A, target=first.target), Variant(name=B, target=second.target))
    return first.model_copy(
        update={
            "targets": pair * starts,
            "phases": tuple(
                in_turns(phase, starts, None if side_by_side and phase.model == "open" else rng) for phase in phases
            ),
            "gates": tuple(_gates(first, second, phases)),
            "faults": tuple(fault for fault in first.faults if any(fault.phase == phase.name for phase in phases)),
            "stop_early": first.stop_early or stop_early,
            "workers": len(pair) * starts * first.workers,
            "sampling": first.sampling.model_copy(update={"memory": None}),
        }
    )


def _check(plan: RunPlan, phases: Sequence[Phase], starts: int, *, stop_early: bool, side_by_side: bool) -> None:
    problems = Problems()
    if not all(phase.segments for phase in phases):
        problems.add("duet-with-shape", where=plan.scenario.path)
    elif not any(phase.measured for phase in phases):
        problems.add("duet-without-phases", where=plan.scenario.path)
    for phase in phases:
        if phase.measured and 0 < phase.duration_s < _SHORTEST_S:
            problems.add("duet-phase-too-short", where=phase.name, seconds=phase.duration_s, least=_SHORTEST_S)
    if not 1 <= starts <= MOST_STARTS:
        problems.add("duet-starts-out-of-range", where=Option("starts"), starts=starts, most=MOST_STARTS)
    if starts > 1 and (plan.stop_early or stop_early):
        problems.add("duet-starts-with-stop-early", where=Option("starts"), option=Option("stop_early"))
    if side_by_side and starts > 1:
        problems.add("duet-side-by-side-with-starts", where=Option("side_by_side"), option=Option("starts"))
    if side_by_side and not any(phase.model == "open" and phase.measured for phase in phases):
        problems.add("duet-side-by-side-closed", where=Option("side_by_side"))
    problems.raise_if_any()


def _gates(first: RunPlan, second: RunPlan, phases: Sequence[Phase]) -> list[Gate]:
    """Those of the plan that a duet can judge, and the margin if none of them reads build A."""
    gates = [
        gate
        for gate in first.gates
        if not (gate.default or gate.comparison.step)
        and (gate.comparison.measures.needs == "verify" or any(reads(gate, phase) for phase in phases))
    ]
    if not any(gate.comparison.baseline for gate in gates):
        margins = [*MARGIN, *[MARGIN_OF_KNOWN] * (_is_known(first.target) and _is_known(second.target))]
        gates += [Gate(comparison=parse_requirement(margin)) for margin in margins]
    return gates


def _is_known(target: PlannedTarget) -> bool:
    """Whether the target's processes can be watched."""
    return not isinstance(target, AttachedTarget) or target.pid is not None


def has_whole_turns(plan: RunPlan) -> bool:
    """Whether a plan's turns and targets fit together: those of a damaged file may not."""
    names = [variant.name for variant in plan.targets]
    if not plan.is_duet:
        return len(names) == 1 and not any(phase.turns for phase in plan.phases)
    starts = len(names) // 2
    blocks = [[EVERY] * BLOCK, *([2 * start, 2 * start, 2 * start + 1, 2 * start + 1] for start in range(starts))]
    return names == [A, B] * starts and all(
        len(phase.turns) == len(phase.segments)
        and all(segment.duration_s > 0 for segment in phase.segments)
        and all(sorted(phase.turns[at : at + BLOCK]) in blocks for at in range(0, len(phase.turns), BLOCK))
        for phase in plan.phases
    )


def of_build(variant: str, found: Message) -> Message:
    """What was found in one variant, with the name of the build if it is one of a duet."""
    return message("of-build", build=variant.upper(), found=found) if variant else found


def in_turns(phase: Phase, starts: int, rng: random.Random | None) -> Phase:
    """The phase with its segments cut into turns, in whole blocks; without ``rng``, every turn is both builds'."""
    segments: list[Segment] = []
    turns: list[int] = []
    fewest = FEWEST_BLOCKS if phase.measured else 1
    for segment in phase.segments:
        blocks = max(segment.duration_s / TURN_S / BLOCK, fewest * segment.duration_s / phase.duration_s)
        count = BLOCK * math.ceil(round(blocks, 6))
        rise = (segment.end - segment.start) / count
        for number in range(count):
            if rng is None:
                turns.append(EVERY)
            elif number % BLOCK == 0:
                build = 2 * (len(turns) // BLOCK % starts)
                one, other = rng.sample((build, build + 1), 2)
                turns += [one, other, other, one]
            start = segment.start + number * rise
            segments.append(Segment(start=start, end=start + rise, duration_s=segment.duration_s / count))
    return phase.model_copy(update={"segments": tuple(segments), "turns": tuple(turns)})
