"""The capacity that a stress or search phase found: the highest level held, with its interval.

Each step is a sample of its own. It held or broke *for certain* if its parts agree (the sign test of
:mod:`harness.plan.search`), or if the 95 % intervals of its figures leave no doubt. The capacity lies above the highest
level that held for certain and below the lowest that broke for certain: those levels are its interval. Each end is a
test at 2.5 % or less, as those of any interval here.

A step in which the load generator was the limit says nothing of the target: it neither held nor broke. If no level
broke, the capacity is at least the highest that held, and its interval has no upper end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.generator import GeneratorState
from harness.analysis.intervals import interval_of
from harness.analysis.samples import Sample, samples_of
from harness.plan.requirement import Comparison, Condition, joined
from harness.plan.search import clearly_broke
from harness.plan.until import StepTotals
from harness.record.endpoint_second import EndpointSecond
from harness.record.journal import Journal
from harness.record.measurement import Interval
from harness.recording.run import PhaseRecord

_SHOWS_S = 2
"""Seconds without an end of a request that show that the target stood still."""
_WHOLE = 0.999
"""The share of its time after which a step counts as finished: times in the journal are rounded."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a phase; ``segment`` is its number among all segments."""

    segment: int
    level: float
    start_s: float
    end_s: float
    held: bool | None
    certain: bool
    """Whether it held, or broke, for certain."""
    limited: bool
    """Whether the load generator was the limit."""


def capacity_of(steps: Sequence[Step]) -> Interval | None:
    """The capacity in the phase's unit; 0 where the lowest level broke, None where no step shows anything."""
    found = [step for step in steps if step.held is not None and not step.limited]
    if not found:
        return None
    broke = min((step.level for step in found if not step.held), default=math.inf)
    value = max((step.level for step in found if step.held and step.level < broke), default=0.0)
    low = max((step.level for step in found if step.held and step.certain and step.level <= value), default=0.0)
    high = min((step.level for step in found if not step.held and step.certain), default=math.inf)
    return Interval(value=value, low=low, high=high if math.isfinite(high) else None)


def steps_of(record: PhaseRecord, journal: Journal) -> Iterator[Step]:
    """The steps that began, in order of time."""
    held = steps_held(record)
    for number, (judged, (start_s, end_s)) in enumerate(zip(held, step_lengths(record), strict=False)):
        segment = record.plan.segments[number]
        if not segment.counts:
            continue
        part = _part(record, number, start_s, end_s)
        certain = judged is not None and _certainly(record.plan.until, part, journal) == (not judged)
        certain = certain or (judged is False and _stood_still(part))
        limited = GeneratorState(part, journal).limit() is not None
        yield Step(number, segment.end, start_s, end_s, judged, certain, limited)


def step_lengths(record: PhaseRecord) -> list[tuple[float, float]]:
    """Start and end, in seconds of the run, of each step that began."""
    begins = record.span.segments
    ends = [*begins[1:], record.start_s + record.load_s]
    return [(begin_s, max(begin_s, end_s)) for begin_s, end_s in zip(begins, ends, strict=False)]


def steps_held(record: PhaseRecord) -> list[bool | None]:
    """For each step that began, whether it held: its ``until`` is not true of its final figures.

    None where that cannot be known: the phase has no ``until``, or the step was not finished or has too few requests.
    If the target stood still, it did not hold: the few requests before that may have been quick.
    """
    until = record.plan.until
    lengths = step_lengths(record)
    if until is None:
        return [None] * len(lengths)
    figures = [StepTotals() for _ in lengths]
    for entry in record.totals:
        if 0 <= entry.segment < len(figures):
            figures[entry.segment].add(entry)
    held: list[bool | None] = []
    finished = []
    for number, (start_s, end_s) in enumerate(lengths):
        planned_s = record.plan.segments[number].duration_s
        finished.append(end_s - start_s >= _WHOLE * planned_s)
        if not finished[-1] or not record.plan.segments[number].counts:
            held.append(None)
        elif figures[number].has_enough:
            stands = _stood_still(_part(record, number, start_s, end_s))
            held.append(not stands and figures[number].breaks(until, planned_s) is None)
        else:
            held.append(False if True in held and _stood_still(_part(record, number, start_s, end_s)) else None)
    if record.span.reason == "limit broke" and False not in held and True in finished:
        # The phase was ended because a step broke; requests that arrived late do not take that back.
        held[len(finished) - 1 - finished[::-1].index(True)] = False
    return held


def held_level(record: PhaseRecord, held: list[bool | None]) -> float | None:
    """The highest level that held below the lowest that did not; None where no step held."""
    levels = [(segment.end, judged) for segment, judged in zip(record.plan.segments, held, strict=False)]
    broke = min((level for level, judged in levels if judged is False), default=math.inf)
    return max((level for level, judged in levels if judged and level < broke), default=None)


def _part(record: PhaseRecord, number: int, start_s: float, end_s: float) -> PhaseRecord:
    """One step as a phase of its own."""
    plan = record.plan.model_copy(update={"segments": (record.plan.segments[number],)})
    span = replace(record.span, start_s=start_s, end_s=end_s, segments=(start_s,), chosen=())
    table = record.table.of(np.flatnonzero(record.table.segment == number))
    return PhaseRecord(plan, span, end_s, table, record.variant, is_part=True)


def _stood_still(step: PhaseRecord) -> bool:
    """Whether no request ended in the later half of a step, although some were sent: they ended after it."""
    half_s, end_s = math.ceil((step.start_s + step.end_s) / 2), math.floor(step.end_s)
    ended, requests = step.table.second, step.table.requests
    is_silent = not requests[(ended >= half_s) & (ended < end_s)].any()
    return is_silent and end_s - half_s >= _SHOWS_S and bool(requests[ended >= end_s].any())


def _certainly(until: Condition | None, part: PhaseRecord, journal: Journal) -> bool | None:
    """Whether ``until`` is true of a step for certain; None if neither that nor the opposite is."""
    if until is None or not len(part.table):
        return None
    clear = clearly_broke(until, _by_second(part))
    if clear is not None:
        return clear
    _, sample = next(samples_of(part, journal))
    return joined([_comparison(comparison, sample) for comparison in group] for group in until.any_of)


def _by_second(part: PhaseRecord) -> list[list[EndpointSecond]]:
    """The requests of each whole second of a step; its last has those that ended later."""
    first, last = math.ceil(part.start_s), math.floor(part.end_s) - 1
    at = np.clip(part.table.second, first, last)
    return [EndpointSecond.all_of(part.table.of(np.flatnonzero(at == second))) for second in range(first, last + 1)]


def _comparison(comparison: Comparison, sample: Sample) -> bool | None:
    interval = interval_of(sample, comparison.measures)
    return None if interval is None else comparison.holds_all_over(interval.low, interval.high, comparison.value)
