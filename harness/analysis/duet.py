"""The changes from build A to build B of a duet, and from A to itself, which are only noise."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.analysis.baseline_difference import meaning_of
from harness.analysis.block_effects import Effect, effect_of, effect_on_usage
from harness.analysis.contamination import contamination_of
from harness.analysis.false_discoveries import highest_that_counts
from harness.analysis.intervals import Bounds
from harness.analysis.samples import Floats, Sample, kept_in, sample_of_turns, samples_of, turn_of
from harness.analysis.target_usage import usage_of
from harness.metrics import REQUEST_METRICS, RUN_METRICS
from harness.metrics.aggregate import Aggregate
from harness.metrics.metric import Metric
from harness.metrics.target import PeakMemory
from harness.metrics.target_usage import TargetUsage
from harness.plan.duet import BLOCK, FEWEST_BLOCKS, A, B
from harness.plan.model.phase import EVERY, Phase
from harness.plan.model.target import AttachedTarget, CommandTarget, PlannedTarget
from harness.plan.target import SHOP
from harness.record.changes import Change, Duet
from harness.record.measurement import ALL, Interval
from harness.recording.run import PhaseRecord, RunRecording

FALSE_SHARE = 0.01
"""Of the changes that are called clear, the share that may be noise."""
_LARGEST = 700.0
"""The exponential of a greater number is none that a float holds."""


def duet_of(run: RunRecording) -> Duet:
    """What the two builds are, and how well this run could tell them apart."""
    a, b, *_ = run.plan.targets
    blocks = sum(_samples(run, phase, A)[ALL].n for phase in _measured(run))
    return Duet(
        a=named(a.target),
        b=named(b.target),
        starts=len(run.plan.targets) // 2,
        blocks=blocks,
        side_by_side=any(EVERY in phase.turns for phase in _measured(run)),
        self_changes=self_changes(run),
    )


def named(target: PlannedTarget) -> str:
    """A target as its user named it."""
    match target:
        case CommandTarget(command=command, revision=revision):
            return revision or command
        case AttachedTarget(url=url):
            return url
    return SHOP


def duet_changes(run: RunRecording) -> list[Change]:
    """Of each measured phase every compared figure: of all endpoints together, then of each, the busiest first.

    Blocks that faults disturbed are left out.
    """
    return _changes(
        (phase, endpoint, metric, paired(run, phase, endpoint, metric))
        for phase in _measured(run)
        for endpoint in _busiest(run, phase)
        for metric in RUN_METRICS.values()
        if metric.compared
    )


def self_changes(run: RunRecording) -> list[Change]:
    """The same of build A with itself, all endpoints together: the two halves of its turns in each block."""
    found: list[_Row] = []
    for phase in _measured(run):
        record = _record(run, phase, A)
        kept = _kept(run, record)
        turn = turn_of(record.table, record)
        own = np.array(record.turns).reshape(-1, BLOCK)
        is_second = (2 * (own.cumsum(axis=1) - own) >= own.sum(axis=1, keepdims=True)).ravel()[turn]
        one = is_second ^ (turn // BLOCK % 2 == 1)  # now the first, now the second: a drift cancels out
        parts = [sample_of_turns(record.table.of(np.flatnonzero(half)), record).only(kept) for half in (one, ~one)]
        halves = [replace(part, lengths_s=part.lengths_s / 2, planned=part.planned / 2) for part in parts]
        found += [
            (phase, ALL, metric, _pair(metric, halves[0], halves[1], _starts(phase, kept)))
            for metric in REQUEST_METRICS.values()
            if metric.compared
        ]
    return _changes(found)


@dataclass(frozen=True, slots=True)
class Paired:
    """A figure of both builds, and the effect on it of being B."""

    a: float
    b: float
    effect: Effect

    def change(self, metric: Metric[Any]) -> tuple[float, Bounds]:
        """How far B's figure is from A's (0.05: 5 % or, of a share, 5 points more), and the 95 % interval of that.

        No figure falls by more than all of it, so an interval without ends begins there.
        """
        change, low, high = (_relative(metric, value) for value in (self.effect.value, *self.effect.bounds()))
        return change, (max(-1.0, low), high if math.isfinite(high) else None)

    def figure(self, metric: Metric[Any]) -> Interval:
        """B's figure, with the interval that its change from A's has."""
        _, (low, high) = self.change(metric)
        whole = 100 if metric.unit.is_share else self.a
        high = None if high is None else self.a + whole * high
        return Interval(value=self.b, low=max(0.0, self.a + whole * low), high=high)


def paired(
    run: RunRecording, phase: Phase, endpoint: str, metric: Metric[Any], during: str | None = None
) -> Paired | None:
    """One figure of build B beside A's; None where there is too little to compare.

    ``during``: in the blocks under that fault, instead of those that none disturbed.
    """

    def compute() -> Paired | None:
        if metric.needs in ("traces", "checks", "contract"):  # these figures rest on too few requests for that
            return None
        if metric.needs == "target":
            return _pair_of_usage(run, phase, metric, during) if endpoint == ALL else None
        a, b = (_samples(run, phase, variant, during).get(endpoint) for variant in (A, B))
        if a is None or b is None:
            return None
        starts = _starts(phase, _kept(run, _record(run, phase, A), during))
        return _pair(metric, a, b, starts, phase if run.plan.stop_early else None)

    return run.once(f"pair of {phase.name} {endpoint} {metric.name} {during}", compute)


_Row = tuple[Phase, str, Metric[Any], Paired | None]


def _changes(rows: Iterable[_Row]) -> list[Change]:
    """The changes; clear ones remain so when all are judged together (:mod:`harness.analysis.false_discoveries`)."""
    known = [(phase, endpoint, metric, pair) for phase, endpoint, metric, pair in rows if pair is not None]
    clear = highest_that_counts([pair.effect.chance for *_, pair in known], FALSE_SHARE)
    changes = []
    for phase, endpoint, metric, pair in known:
        change, interval = pair.change(metric)
        changes.append(
            Change(
                phase=phase.name,
                endpoint=endpoint or None,
                metric=metric.name,
                unit=metric.unit.name,
                baseline=pair.a,
                observed=pair.b,
                change=change,
                interval=interval,
                meaning=meaning_of(interval, metric) if pair.effect.chance <= clear else "no clear change",
            )
        )
    return changes


def _measured(run: RunRecording) -> list[Phase]:
    began = {record.plan.name for record in run.phases}
    return [phase for phase in run.plan.phases if phase.measured and phase.name in began]


def _record(run: RunRecording, phase: Phase, variant: str) -> PhaseRecord:
    return next(record for record in run.phases if (record.plan.name, record.variant) == (phase.name, variant))


def _samples(run: RunRecording, phase: Phase, variant: str, during: str | None = None) -> dict[str, Sample]:
    """By endpoint."""

    def compute() -> dict[str, Sample]:
        record = _record(run, phase, variant)
        kept = _kept(run, record, during)
        return {endpoint: sample.only(kept) for endpoint, sample in samples_of(record, run.journal)}

    return run.once(f"samples of {phase.name} {variant} {during}", compute)


def _kept(run: RunRecording, record: PhaseRecord, during: str | None = None) -> npt.NDArray[np.bool_]:
    """Which blocks of a phase count."""
    return kept_in(record, contamination_of(record, run, during).not_counted)


def _busiest(run: RunRecording, phase: Phase) -> list[str]:
    """The endpoints of both builds, the busiest first; :data:`ALL` before them."""
    sides = [_samples(run, phase, variant) for variant in (A, B)]
    names = {name for side in sides for name in side}
    count = {name: sum(side[name].requests.sum() for side in sides if name in side) for name in names}
    return sorted(names, key=lambda name: (name != ALL, -count[name], name))


def _pair(
    metric: Metric[Aggregate], a: Sample, b: Sample, starts: Floats, looked: Phase | None = None
) -> Paired | None:
    if a.n < FEWEST_BLOCKS:
        return None
    return _of(metric.value(a.aggregate), metric.value(b.aggregate), effect_of(a, b, metric, starts), a.n, looked)


def _pair_of_usage(run: RunRecording, phase: Phase, metric: Metric[TargetUsage], during: str | None) -> Paired | None:
    records = [_record(run, phase, variant) for variant in (A, B)]
    left_out = contamination_of(records[0], run, during).not_counted
    a, b = (usage_of(record, run, left_out) for record in records)
    if len(a.cpu_s) < FEWEST_BLOCKS:
        return None
    effect = effect_on_usage(a, b, metric, _starts(phase, kept_in(records[0], left_out)))
    by_turns = not isinstance(metric.statistic, PeakMemory)
    looked = phase if run.plan.stop_early and by_turns else None
    of_a = metric.value(a)
    of_b = of_a * math.exp(effect.value) if of_a is not None and effect is not None else None  # at A's machine speed
    return _of(of_a, of_b, effect, len(a.cpu_s), looked)


def _of(a: float | None, b: float | None, effect: Effect | None, blocks: int, looked: Phase | None) -> Paired | None:
    """``looked``: the phase, if the run ends as soon as its gates are decided."""
    if a is None or b is None or effect is None:
        return None
    if looked is not None:
        effect = replace(effect, blocks=(blocks, len(looked.turns) // BLOCK))
    return Paired(a, b, effect)


def _starts(phase: Phase, kept: npt.NDArray[np.bool_]) -> Floats:
    """With which start of the builds each of the blocks was that are ``kept``."""
    return np.array(phase.turns[::BLOCK])[: len(kept)][kept] // 2


def _relative(metric: Metric[Any], effect: float) -> float:
    if metric.unit.is_share:
        return effect
    return math.expm1(effect) if effect < _LARGEST else math.inf
