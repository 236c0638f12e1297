"""The figures of each phase, step and endpoint, for the summary."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np

from harness.analysis.generator import LATE_US, lag_of, lateness_of, seconds_of
from harness.metrics import REQUEST_METRICS
from harness.metrics.aggregate import Aggregate
from harness.plan.model import Phase, Segment
from harness.plan.phases import phase_kind
from harness.plan.until import StepTotals
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from harness.record.journal import Journal
from harness.record.second_table import BYTES, REQUESTS
from harness.record.summary import (
    EndpointFigures,
    FailureKind,
    Lag,
    Latency,
    PhaseSummary,
    StepFigures,
    Totals,
)
from harness.recording.run import PhaseRecord

_TIMES = {field.alias or name: REQUEST_METRICS[field.alias or name] for name, field in Latency.model_fields.items()}

_WHOLE = 0.999
"""The share of its time after which a step counts as finished: times in the journal are rounded."""


def latency_of(times: Histogram) -> Latency:
    """The percentiles of a histogram, in ms; all None where it is empty."""
    aggregate = Aggregate(times.count, 0, 0, times, 0.0)
    return Latency(**{name: metric.value(aggregate) for name, metric in _TIMES.items()})


def _figures(entries: Sequence[EndpointSecond], length_s: float) -> dict[str, Any]:
    """The fields of :class:`harness.record.summary.Figures`."""
    whole = Aggregate.of(entries, length_s)
    failed = Histogram.merged([part.failed for part in entries])
    return {
        "requests": whole.requests,
        "failures": whole.failures,
        "error_rate": whole.failures / whole.requests if whole.requests else None,
        "throughput_rps": REQUEST_METRICS["throughput"].value(whole) or 0.0,
        "bytes_received": sum(part.bytes_received for part in entries),
        "response_ms": latency_of(whole.response),
        "ok_response_ms": latency_of(whole.response.minus(failed)),
        "service_ms": latency_of(Histogram.merged([part.service for part in entries])),
    }


def phase_summary(record: PhaseRecord, journal: Journal) -> PhaseSummary:
    """All figures of one phase: of all endpoints together, of each, and of the steps of a stress phase."""
    phase = record.plan
    during = seconds_of(record, journal)
    users = [second.users for second in during]
    held = steps_held(record) if phase_kind(phase.kind).by_steps else []
    lateness = lateness_of(record, journal)
    return PhaseSummary(
        index=record.index,
        name=phase.name,
        kind=phase.kind,
        model=phase.model,
        variant=record.variant,
        measured=phase.measured,
        start_s=record.start_s,
        end_s=record.end_s,
        goal=goal_of(phase),
        users=sum(users) / len(users) if users else 0.0,
        users_max=max(users, default=0),
        iterations=sum(worker.iterations for second in during for worker in second.workers),
        late=0 if lateness is None else lateness.delay.count_above(LATE_US),
        lateness_ms=Lag() if lateness is None else lag_of(lateness.delay),
        own_lateness_ms=Lag() if lateness is None else lag_of(lateness.own),
        cut_short=_cut_short(record),
        held=held_level(record, held),
        steps=_steps(record, held),
        endpoints=_endpoints(record, journal),
        **_figures(record.totals, record.load_s),
    )


def _endpoints(record: PhaseRecord, journal: Journal) -> list[EndpointFigures]:
    """Each endpoint's figures, the busiest first."""
    groups: dict[int, list[EndpointSecond]] = {}
    for entry in record.totals:
        groups.setdefault(entry.endpoint, []).append(entry)
    figures = [
        EndpointFigures(
            method=journal.endpoints[number].method,
            name=journal.endpoints[number].name,
            **_figures(parts, record.load_s),
        )
        for number, parts in groups.items()
    ]
    return sorted(figures, key=lambda entry: (-entry.requests, entry.method, entry.name))


def _steps(record: PhaseRecord, held: list[bool | None]) -> list[StepFigures]:
    """The steps of a stress phase that began, each with whether it ``held``."""
    steps = []
    for number, (judged, (start_s, end_s)) in enumerate(zip(held, step_lengths(record), strict=False)):
        parts = [entry for entry in record.totals if entry.segment == number]
        steps.append(
            StepFigures(
                level=record.plan.segments[number].end,
                start_s=start_s,
                end_s=end_s,
                held=judged,
                **_figures(parts, end_s - start_s),
            )
        )
    return steps


def _cut_short(record: PhaseRecord) -> str | None:
    if record.span.reason in ("done", "limit broke"):
        return None
    planned = f" of {record.plan.duration_s:g} s" if record.plan.duration_s else ""
    return f"it ran {record.length_s:.1f} s{planned}"


def goal_of(phase: Phase) -> str:
    """The load goal as a person reads it: ``50 users``, ``200 → 2,000 arrivals/s``."""
    if not phase_kind(phase.kind).has_load:
        return "no load"
    if not phase.segments:
        return "set by the scenario's load shape"
    levels = _levels(phase.segments)
    unit = "arrivals/s" if phase.model == "open" else "user" if levels[-1] == 1 else "users"
    return f"{' → '.join(f'{level:,g}' for level in levels)} {unit}"


def _levels(segments: Sequence[Segment]) -> list[float]:
    """First level, highest or lowest in between, and last; equal neighbours once."""
    path = [segments[0].start, *(level for segment in segments for level in (segment.start, segment.end))]
    first, last = path[0], path[-1]
    turn = max(path) if max(path) > max(first, last) else last
    levels = [first, *([turn] if turn != last else []), last]
    return [level for at, level in enumerate(levels) if at == 0 or level != levels[at - 1]]


def totals_of(journal: Journal) -> Totals:
    """Everything that was recorded, in measured phases and in others."""
    requests, failures, bytes_received = sum(
        (second.table.rows[:, REQUESTS : BYTES + 1].sum(axis=0) for second in journal.seconds),
        start=np.zeros(3, dtype=np.int64),
    ).tolist()
    return Totals(
        requests=requests,
        failures=failures,
        iterations=sum(worker.iterations for second in journal.seconds for worker in second.workers),
        bytes_received=bytes_received,
    )


def failure_kinds(journal: Journal) -> list[FailureKind]:
    """Failures by endpoint and kind over the whole run, the most frequent first, with their recorded requests."""
    counts: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for failure in journal.failures:
        counts.setdefault((failure.endpoint, failure.failure), []).append((failure.second, failure.count))
    samples: dict[tuple[int, str], list[dict[str, str]]] = {}
    for sample in journal.samples:
        samples.setdefault((sample.endpoint, sample.failure), []).append(sample.detail)
    kinds = [
        FailureKind(
            method=journal.endpoints[endpoint].method,
            name=journal.endpoints[endpoint].name,
            failure=failure,
            count=sum(count for _, count in seen),
            first_s=float(min(second for second, _ in seen)),
            last_s=float(max(second for second, _ in seen)),
            samples=samples.get((endpoint, failure), []),
        )
        for (endpoint, failure), seen in counts.items()
    ]
    return sorted(kinds, key=lambda kind: (-kind.count, kind.method, kind.name, kind.failure))


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
