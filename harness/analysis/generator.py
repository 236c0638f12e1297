"""Whether the load generator, and not the target, was the limit: then the run says nothing about the target.

If more than :data:`HELD` of a phase's requests waited for the rate limit that the user has set for their host, that
limit was the cause. Otherwise: a worker is one Python process, so it has one core. Three things show, phase by phase,
that it could not keep up:

- It had work for more than :data:`BUSY` of its core in more than :data:`BUSY_SECONDS` of the seconds, whether it got
  that core or something else on the machine did. Requests then queue in the worker.
- Its event loop was blocked for more than :data:`STALL` of the time, and for more than :data:`DISTORTION` of the P95.
  That share of all requests is larger than what a P95 leaves out, so the wait shows in it.
- In the open model, arrivals were late by its own doing: the P95 of that lateness is more than 1 ms and more than
  :data:`DISTORTION` of the response time's. (Where all users are busy, the target is slow, and the wait rightly counts
  as response time.)

**How many workers were needed.** Let ``c`` be the CPU time that one iteration costs the workers (what all of them used
in the phase, over the iterations they began) and ``r`` the iterations a second that the phase asks for: in the open
model its highest arrival rate, in the closed one the rate that was reached, since nobody knows what undisturbed users
would have done. The work is then ``r · c`` cores, and ``ceil(r · c / COMFORTABLE)`` workers do it with room to spare
(utilisation law, Denning & Buzen 1978: utilisation is throughput times service demand).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from harness.analysis.clocks import worst_clocks
from harness.messages import Message, Option, message
from harness.metrics.aggregate import Aggregate
from harness.plan.phases import phase_kind
from harness.record.histogram import Histogram
from harness.record.journal import Journal
from harness.record.journal_entries import Second, WorkerSecond
from harness.record.lateness import Lateness
from harness.record.summary import Generator, Lag
from harness.recording.run import PhaseRecord

BUSY = 0.9
BUSY_SECONDS = 0.2
STALL = 0.05
DISTORTION = 0.1
HELD = 0.01
"""A request that waits is counted in each second in which it does."""
COMFORTABLE = 0.6
"""The share of a core up to which a worker has room to spare."""
LATE_US = 1000
"""An arrival that is started more than this after its intended start is late."""
_NOTABLE = 0.05
"""CPU that was taken from a worker is named as a cause from this share on."""


def seconds_of(record: PhaseRecord, journal: Journal) -> list[Second]:
    """The seconds of the run that lie in a phase by more than half."""
    return [second for second in journal.seconds if record.start_s <= second.second + 0.5 < record.end_s]


def generator_limit(record: PhaseRecord, journal: Journal) -> Message | None:
    """Why the generator was the limit in a phase, and what would have helped; None where it was not."""
    seconds = seconds_of(record, journal)
    if not phase_kind(record.plan.kind).has_load or not seconds:
        return None
    if not any(part.requests for _, part in record.endpoint_seconds):
        # More workers would not have helped: what is wrong is that no request was sent, and gates say so.
        return None
    workers: dict[int, list[WorkerSecond]] = {}
    for second in seconds:
        for state in second.workers:
            workers.setdefault(state.worker, []).append(state)
    return (
        _rate_limited(seconds, record)
        or _busy(workers, record)
        or _stalled(workers, record)
        or _late(workers, record, journal)
    )


def _rate_limited(seconds: Sequence[Second], record: PhaseRecord) -> Message | None:
    held = [sum(state.held for state in second.workers) for second in seconds]
    requests = sum(part.requests for _, part in record.endpoint_seconds)
    if sum(held) <= HELD * requests:
        return None
    return message("generator-rate-limited", waited=sum(count > 0 for count in held), seconds=len(held), most=max(held))


def _busy(workers: dict[int, list[WorkerSecond]], record: PhaseRecord) -> Message | None:
    for worker, states in workers.items():
        busy = sum(state.wanted > BUSY for state in states)
        if busy > BUSY_SECONDS * len(states):
            return message(
                "generator-busy",
                worker=worker,
                share=BUSY,
                busy=busy,
                seconds=len(states),
                taken=TakenCores.of(states),
                **_needed(workers, record),
            )
    return None


def _stalled(workers: dict[int, list[WorkerSecond]], record: PhaseRecord) -> Message | None:
    p95_ms = Aggregate.of((part for _, part in record.endpoint_seconds), record.length_s).quantile(0.95)
    for worker, states in workers.items():
        stall_ms = float(np.mean([state.lag_ms for state in states]))
        if stall_ms > 1000 * STALL and p95_ms is not None and stall_ms > DISTORTION * p95_ms:
            return message(
                "generator-stalled",
                worker=worker,
                stall_ms=stall_ms,
                taken=TakenCores.of(states),
                needed=len(workers) + 1,
                option=Option("workers", len(workers) + 1),
            )
    return None


def _late(workers: dict[int, list[WorkerSecond]], record: PhaseRecord, journal: Journal) -> Message | None:
    lateness = lateness_of(record, journal)
    p95_ms = Aggregate.of((part for _, part in record.endpoint_seconds), record.length_s).quantile(0.95)
    if lateness is None or not lateness.own.count or p95_ms is None:
        return None
    late_us = lateness.own.quantile_us(0.95)
    if late_us <= max(LATE_US, DISTORTION * 1000 * p95_ms):
        return None
    return message(
        "generator-late",
        late_ms=late_us / 1000,
        taken=TakenCores.of([state for each in workers.values() for state in each]),
        **_needed(workers, record),
    )


@dataclass(frozen=True, slots=True)
class TakenCores:
    """The shares of the time (0…1) in which something kept workers from their cores; as the end of a sentence."""

    starved: float
    throttled: float
    stolen: float

    @classmethod
    def of(cls, states: Sequence[WorkerSecond]) -> Self:
        return cls(
            float(np.mean([state.starved for state in states])),
            float(np.mean([state.throttled for state in states])),
            float(np.mean([state.stolen for state in states])),
        )

    def __str__(self) -> str:
        causes = {
            "other processes had the cores for {:.0%} of the time": self.starved,
            "its control group's CPU quota was used up for {:.0%}": self.throttled,
            "the hypervisor took {:.0%} of the machine": self.stolen,
        }
        shown = [cause.format(share) for cause, share in causes.items() if share >= _NOTABLE]
        return f" ({', '.join(shown)})" if shown else ""


def _needed(workers: dict[int, list[WorkerSecond]], record: PhaseRecord) -> dict[str, object]:
    needed = max(workers_needed(workers, record), len(workers) + 1)
    return {"needed": needed, "option": Option("workers", needed)}


def workers_needed(workers: dict[int, list[WorkerSecond]], record: PhaseRecord) -> int:
    """How many workers do what the phase asks for; the formula is in the module's docstring. 0 where it is unknown."""
    used_s = sum(state.cpu for states in workers.values() for state in states)
    begun = sum(state.iterations for states in workers.values() for state in states)
    seconds = max((len(states) for states in workers.values()), default=0)
    if not begun:
        return 0
    rate = begun / seconds
    if record.plan.model == "open":
        reached = record.plan.segments[: max(1, len(record.span.segments))]
        rate = max(rate, *(level for segment in reached for level in (segment.start, segment.end)))
    return math.ceil(rate * used_s / begun / COMFORTABLE)


def lateness_of(record: PhaseRecord, journal: Journal) -> Lateness | None:
    """How late the arrivals were that were due in a phase, whenever they were started; None in the closed model."""
    if record.plan.model != "open":
        return None
    parts = [part for second in journal.seconds for part in second.lateness if part.phase == record.index]
    return next(iter(Lateness.merged(parts)), None)


def waiting_for_users(record: PhaseRecord, journal: Journal) -> Message | None:
    """A warning where the open model's arrivals waited for users; None where they did not."""
    if record.plan.model != "open":
        return None
    seconds = seconds_of(record, journal)
    full = sum(any(state.waiting for state in second.workers) for second in seconds)
    if not full:
        return None
    return message(
        "arrivals-waited", phase=record.plan.name, users=record.plan.max_users or 0, full=full, seconds=len(seconds)
    )


def generator_of(journal: Journal, limited: bool) -> Generator:
    """How the generator fared over the whole run; ``limited``: whether it was the limit in any phase."""
    states = [state for second in journal.seconds for state in second.workers]
    lags = np.array([state.lag_ms for state in states])
    lag = Lag()
    if len(lags):
        lag = Lag(p50=float(np.median(lags)), p99=float(np.quantile(lags, 0.99)), max=float(lags.max()))
    clocks = worst_clocks(journal)
    own = Histogram.merged([part.own for second in journal.seconds for part in second.lateness])
    return Generator(
        saturated=limited,
        cpu_max=max((state.cpu for state in states), default=0.0),
        starved_max=max((state.starved for state in states), default=0.0),
        throttled_max=max((state.throttled for state in states), default=0.0),
        stolen_max=max((state.stolen for state in states), default=0.0),
        lag_ms=lag,
        dropped=sum(event.count for event in journal.events if event.kind == "dropped"),
        late=sum(state.late for state in states),
        own_lateness_ms=lag_of(own),
        workers=max((len(second.workers) for second in journal.seconds), default=0),
        clock_ms=max((clock.within for clock in clocks), default=None),
        clocks=clocks,
    )


def lag_of(histogram: Histogram) -> Lag:
    """Its percentiles in ms; all None where it is empty."""
    if not histogram.count:
        return Lag()
    p50, p99 = (histogram.quantile_us(q) / 1000 for q in (0.5, 0.99))
    return Lag(p50=p50, p99=p99, max=histogram.max_us / 1000)
