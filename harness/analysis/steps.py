"""Which steps of a stress phase held, judged by all that was recorded of them.

While the run goes on, a step is judged about a second after its end, when slow requests have not ended yet. A target
that hangs altogether looks fine at that moment. Here all requests are known, also those that ended or were interrupted
later.
"""

from __future__ import annotations

from itertools import takewhile

from harness.plan.until import StepTotals
from harness.recording.run import PhaseRecord

_WHOLE = 0.999
"""The share of its time after which a step counts as finished: times in the journal are rounded."""


def step_lengths(record: PhaseRecord) -> list[tuple[float, float]]:
    """Start and end, in seconds of the run, of each step that began."""
    begins = record.span.segments
    ends = [*begins[1:], record.start_s + record.load_s]
    return [(begin_s, max(begin_s, end_s)) for begin_s, end_s in zip(begins, ends, strict=False)]


def steps_held(record: PhaseRecord) -> list[bool | None]:
    """For each step that began, whether it held: its ``until`` is not true of its final figures.

    None where that cannot be known: the phase has no ``until``, or the step was not finished or has too few requests.
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
        conclusive = finished[-1] and figures[number].has_enough
        held.append(figures[number].breaks(until, planned_s) is None if conclusive else None)
    if record.span.reason == "limit broke" and False not in held and True in finished:
        # The phase was ended because a step broke; requests that arrived late do not take that back.
        held[len(finished) - 1 - finished[::-1].index(True)] = False
    return held


def held_level(record: PhaseRecord, held: list[bool | None]) -> float | None:
    """The level of the last step that held before the first that did not; None where no step held."""
    before = [number for number, step in takewhile(lambda entry: entry[1] is not False, enumerate(held)) if step]
    return record.plan.segments[before[-1]].end if before else None
