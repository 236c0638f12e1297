"""Pairs the phases of two builds that are compared: same name, same load, figures of the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.analysis.run_sets import ENOUGH_RUNS
from harness.errors import HarnessError
from harness.messages import Message, message
from harness.plan.bench import name_of
from harness.record.comparison import MeasuredRun
from harness.record.measurement import BENCHMARKS, PhaseMeasurement

Runs = Sequence[MeasuredRun]


@dataclass(frozen=True, slots=True)
class PhasePair:
    """One phase in the runs of both builds that can be compared."""

    name: str
    a: list[PhaseMeasurement]
    b: list[PhaseMeasurement]

    @property
    def clean(self) -> tuple[list[PhaseMeasurement], list[PhaseMeasurement]]:
        """Those runs of A and of B in which others did not take the cores for most of it."""
        a, b = ([phase for phase in side if not phase.too_contaminated] for side in (self.a, self.b))
        return a, b


@dataclass(slots=True)
class Pairing:
    """The pairs in the order of B's first run, and what a reader has to know of the runs."""

    pairs: list[PhasePair]
    remarks: list[Message]


def pair_phases(a: Runs, b: Runs) -> Pairing:
    """Pair the phases of both builds. Raises :class:`HarnessError` if that leaves nothing to compare."""
    _reject(a, b)
    pairs, left_out = [], []
    names = dict.fromkeys(phase.name for run in (*b, *a) for phase in run.measurement.phases)
    for name in names:
        sides = [_having(name, a), _having(name, b)]
        for side, runs in zip("AB", sides, strict=True):
            if not runs:
                left_out.append(message("compare-phase-missing", phase=name, side=side))
        if not all(sides):
            continue
        like = next(iter(sides[1].values()))
        kept, taken = [], []
        for runs in sides:
            doubts = {run_id: _why_left_out(phase, run_id, like) for run_id, phase in runs.items()}
            left_out += [doubt for doubt in doubts.values() if doubt is not None]
            kept.append([phase for run_id, phase in runs.items() if doubts[run_id] is None])
            taken += [run_id for run_id, phase in runs.items() if doubts[run_id] is None and phase.too_contaminated]
        if all(kept):
            pairs.append(PhasePair(name, *kept))
            left_out += [message("compare-contaminated", phase=name, run=run_id) for run_id in taken]
            left_out += _missing_benchmarks(pairs[-1])
    if not pairs:
        raise HarnessError("compare-nothing-in-common", reasons=[*left_out])
    return Pairing(pairs, [*_of_runs(a, b), *left_out])


def _why_left_out(phase: PhaseMeasurement, run_id: str, like: PhaseMeasurement) -> Message | None:
    """Why a run's phase proves nothing beside that of B's first run; None if it does."""
    if phase.goal != like.goal:
        return message("compare-other-load", phase=phase.name, run=run_id, other=phase.goal, goal=like.goal)
    if phase.traced != like.traced:
        return message("compare-traced" if phase.traced else "compare-untraced", phase=phase.name, run=run_id)
    if phase.generator_limited:
        return message("compare-generator-limited", phase=phase.name, run=run_id, why=phase.generator_limited)
    return None


def _missing_benchmarks(pair: PhasePair) -> Iterator[Message]:
    """Which benchmarks only one build has: the verdict says nothing of them."""
    a, b = ({test for phase in side for test in phase.endpoints} for side in (pair.a, pair.b))
    for side, missing in (("A", b - a), ("B", a - b)):
        if pair.name == BENCHMARKS and missing:
            yield message("compare-benchmarks-missing", side=side, names=sorted(map(name_of, missing)))


def _having(phase: str, runs: Runs) -> dict[str, PhaseMeasurement]:
    found = ((run.id, run.measurement.phase(phase)) for run in runs)
    return {run_id: measured for run_id, measured in found if measured is not None and measured.endpoints}


def _reject(a: Runs, b: Runs) -> None:
    both = {run.id for run in a} & {run.id for run in b}
    if both:
        raise HarnessError("compare-run-on-both-sides", run=min(both))
    duet = next((run for run in (*a, *b) if run.measurement.is_duet), None)
    if duet is not None:
        raise HarnessError("compare-duet", run=duet.id)
    if len({run.is_bench for run in (*a, *b)}) > 1:
        bench, load = (next(run.id for run in (*a, *b) if run.is_bench == kind) for kind in (True, False))
        raise HarnessError("compare-run-with-bench", bench=bench, run=load)
    scenario = b[0].measurement.scenario
    other = next((run for run in (*a, *b) if run.measurement.scenario != scenario), None)
    if other is not None:
        raise HarnessError("compare-other-scenario", run=other.id, other=other.measurement.scenario, scenario=scenario)


def _of_runs(a: Runs, b: Runs) -> Iterator[Message]:
    """What of the runs themselves puts the comparison in doubt."""
    for run in (*a, *b):
        if run.verdict == "broken":
            yield message("compare-run-broken", run=run.id)
    prints = [{run.fingerprint for run in runs if run.fingerprint} for runs in (a, b)]
    if len(prints[0] | prints[1]) > 1:
        yield message("compare-other-machine", a=sorted(prints[0]), b=sorted(prints[1]))
    profiles = [sorted({run.measurement.profile for run in runs}) for runs in (a, b)]
    if profiles[0] != profiles[1]:
        yield message("compare-other-profile", a=profiles[0], b=profiles[1])
    if max(len(a), len(b)) < ENOUGH_RUNS:
        yield message("compare-few-runs", enough=ENOUGH_RUNS)
