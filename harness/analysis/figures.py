"""The figures of each phase, step and endpoint, for the summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.analysis.capacity import Step, capacity_of, held_level, steps_held, steps_of
from harness.analysis.lateness import LATE_US, lag_of, lateness_of
from harness.analysis.scalability import with_scalability
from harness.metrics import REQUEST_METRICS
from harness.metrics.aggregate import Aggregate
from harness.plan.model.fault import PlannedFault
from harness.plan.model.phase import Phase, Segment
from harness.plan.phases import phase_kind
from harness.record.endpoint_second import EndpointSecond
from harness.record.figures import EndpointFigures, Lag, Latency
from harness.record.histogram import Histogram
from harness.record.journal import Journal
from harness.record.journal_entries import FailureCount
from harness.record.phase_summary import PhaseSummary, StepFigures
from harness.record.plain_text import natural
from harness.record.second_table import BYTES, REQUESTS
from harness.record.summary import FailureKind, Totals
from harness.recording.run import PhaseRecord

_TIMES = {field.alias or name: REQUEST_METRICS[field.alias or name] for name, field in Latency.model_fields.items()}


def latency_of(times: Histogram) -> Latency:
    """The percentiles of a histogram, in ms; all None where it is empty."""
    aggregate = Aggregate(times.count, 0, 0, times, 0.0)
    return Latency(**{name: metric.value(aggregate) for name, metric in _TIMES.items()})


def _figures(entries: Sequence[EndpointSecond], length_s: float) -> dict[str, Any]:
    """The fields of :class:`harness.record.figures.Figures`."""
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
    during = record.seconds(journal)
    users = [record.users_in(second) for second in during]
    by_steps = phase_kind(phase.kind).by_steps
    held = steps_held(record) if by_steps else []
    steps = [*steps_of(record, journal)] if by_steps else []
    capacity = capacity_of(steps)
    lateness = lateness_of(record, journal)
    summary = PhaseSummary(
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
        users_max=math.ceil(max(users, default=0)),
        iterations=sum(worker.iterations for second in during for worker in record.states_in(second)),
        late=0 if lateness is None else lateness.delay.count_above(LATE_US),
        lateness_ms=Lag() if lateness is None else lag_of(lateness.delay),
        own_lateness_ms=Lag() if lateness is None else lag_of(lateness.own),
        cut_short=_cut_short(record),
        held=held_level(record, held),
        capacity=capacity and capacity.value,
        capacity_interval=capacity and (capacity.low, capacity.high),
        steps=_steps(record, steps),
        endpoints=_endpoints(record, journal),
        **_figures(record.totals, record.load_s),
    )
    return with_scalability(summary)


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
    return sorted(figures, key=lambda entry: (-entry.requests, entry.method, natural(entry.name)))


def _steps(record: PhaseRecord, steps: Sequence[Step]) -> list[StepFigures]:
    """The steps of a stress or search phase that began."""
    return [
        StepFigures(
            level=step.level,
            start_s=step.start_s,
            end_s=step.end_s,
            held=step.held,
            generator_limited=step.limited,
            **_figures([entry for entry in record.totals if entry.segment == step.segment], step.end_s - step.start_s),
        )
        for step in steps
    ]


def _cut_short(record: PhaseRecord) -> str | None:
    if record.span.reason in ("done", "limit broke"):
        return None
    planned = f" of {record.plan.duration_s:g} s" if record.plan.duration_s and not record.plan.search else ""
    return f"it ran {record.length_s:.1f} s{planned}"


def goal_of(phase: Phase) -> str:
    """The load goal as a person reads it: ``50 users``, ``200 → 2,000 arrivals/s``."""
    if not phase_kind(phase.kind).has_load:
        return "no load"
    if phase.search is not None:
        return phase.description
    if not phase.segments:
        return "set by the scenario's load shape"
    levels = _levels(phase.segments)
    unit = "arrivals/s" if phase.model == "open" else "user" if levels[-1] == 1 else "users"
    return f"{' → '.join(f'{level:,g}' for level in levels)} {unit}"


def goal_under(phase: Phase, fault: PlannedFault) -> str:
    """The load goal of a phase, and how hard a fault strikes in it: ``50 users, network for 10 s, latency=0.2``."""
    from harness.faults import FAULTS  # only here: few runs have faults

    lasts = "" if fault.for_s is None else f" for {fault.for_s:g} s"
    keys = FAULTS[fault.kind].strength if fault.kind in FAULTS else ()
    strength = [f"{key}={fault.settings[key]}" for key in keys if key in fault.settings]
    return ", ".join([goal_of(phase), f"{fault.kind}{lasts}", *strength])


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
    counts: dict[tuple[int, str], list[FailureCount]] = {}
    for failure in journal.failures:
        counts.setdefault((failure.endpoint, failure.failure), []).append(failure)
    samples: dict[tuple[int, str], list[dict[str, str]]] = {}
    for sample in journal.samples:
        samples.setdefault((sample.endpoint, sample.failure), []).append(sample.detail)
    kinds = [
        FailureKind(
            method=journal.endpoints[endpoint].method,
            name=journal.endpoints[endpoint].name,
            failure=text,
            code=seen[0].code,
            count=sum(entry.count for entry in seen),
            first_s=float(min(entry.second for entry in seen)),
            last_s=float(max(entry.second for entry in seen)),
            samples=samples.get((endpoint, text), []),
        )
        for (endpoint, text), seen in counts.items()
    ]
    return sorted(kinds, key=lambda kind: (-kind.count, kind.method, kind.name, kind.failure))
