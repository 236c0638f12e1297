"""Whether the load generator limited a phase, or made its response times longer.

**It was the limit** if load that the phase asks for was not put on. Then the phase says little about the target:

- More than :data:`HELD` of the requests waited for the rate limit that the user has set for their host.
- Open model: arrivals fell behind their goal. One in 20 was started later than :data:`BEHIND` of the phase's length, by
  the generator's own doing: it had not turned to them yet, or a worker was busy or stalled. (Where all users wait for
  the target, the target is slow, and the wait rightly counts as response time.)
- Closed model: a worker, one Python process with one core, was busy or stalled. Users then send less than they would,
  which leaves the share of failures as it is.

A worker was *busy* if it had work for more than :data:`BUSY` of its core in more than :data:`BUSY_SECONDS` of the
seconds, whether it got that core or something else on the machine did. It was *stalled* if its event loop was blocked
for more than :data:`STALL` of the time, and for more than :data:`DISTORTION` of the P95. That share of all requests is
larger than what a P95 leaves out, so the wait shows in it.

**It strained** the response times of the open model if it kept up, but a worker was busy or stalled, or one arrival in
20 was late by more than 1 ms and more than :data:`DISTORTION` of the P95. Lateness can only add to response times, so
:func:`~harness.analysis.lateness.without_lateness` lowers the lower end of their intervals: an upper limit that the
interval clears is cleared all the same, and no gate fails for what the generator may have added.

**How many workers were needed.** Let ``c`` be the CPU time that one iteration costs the workers (what all of them used
in the phase, over the iterations they began) and ``r`` the iterations a second that the phase asks for: in the open
model its highest arrival rate, in the closed one the rate that was reached, since nobody knows what undisturbed users
would have done. The work is then ``r · c`` cores, and ``ceil(r · c / COMFORTABLE)`` workers do it with room to spare
(utilisation law, Denning & Buzen 1978: utilisation is throughput times service demand).
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from harness.analysis.lateness import LATE_US, late_us, lateness_of
from harness.messages import Message, Option, message
from harness.metrics.aggregate import Aggregate
from harness.plan.phases import phase_kind
from harness.record.histogram import Histogram
from harness.record.journal import Journal
from harness.record.journal_entries import Second, WorkerSecond
from harness.recording.run import PhaseRecord, RunRecording

BUSY = 0.9
BUSY_SECONDS = 0.2
STALL = 0.05
DISTORTION = 0.1
HELD = 0.01
"""A request that waits is counted in each second in which it does."""
COMFORTABLE = 0.6
"""The share of a core up to which a worker has room to spare."""
BEHIND = 0.05
"""The share of a phase's length by which arrivals may fall behind their goal, and of arrivals that may do so."""
_NOTABLE = 0.05
"""CPU that was taken from a worker is named as a cause from this share on."""


class GeneratorState:
    """What the load workers recorded in a phase, and what it shows."""

    def __init__(self, record: PhaseRecord, journal: Journal, left_out: Container[int] = ()) -> None:
        """``left_out`` are seconds of the run that do not count."""
        self._record = record
        self._seconds = record.seconds(journal, left_out)
        self._workers: dict[int, list[WorkerSecond]] = {}
        for second in self._seconds:
            for state in second.workers:
                self._workers.setdefault(state.worker, []).append(state)
        whole = Aggregate.of(record.totals, record.length_s)
        self._requests, self._p95_ms = whole.requests, whole.quantile(0.95) or math.inf
        self._lateness = lateness_of(record, journal, left_out)

    def limit(self) -> Message | None:
        """Why the generator was the limit, and what would have helped; None where it was not."""
        if not self._can_tell:
            return None
        if self._lateness is None:
            return self._rate_limited() or self._busy() or self._stalled()
        if (found := self._rate_limited()) is not None:
            return found
        behind_us = BEHIND * 1e6 * self._record.length_s
        if late_us(self._lateness.own) > behind_us:
            return self._busy() or self._stalled() or self._late("generator-behind", self._lateness.own)
        return (self._busy() or self._stalled()) if late_us(self._lateness.delay) > behind_us else None

    def strain(self) -> Message | None:
        """Why response times of the open model may be longer than they were; None where they are not."""
        if not self._can_tell or self._lateness is None:
            return None
        found = self._busy() or self._stalled()
        if found is None and late_us(self._lateness.own) > max(LATE_US, DISTORTION * 1000 * self._p95_ms):
            found = self._late("generator-late", self._lateness.own)
        return found

    @property
    def _can_tell(self) -> bool:
        # Where no request was sent, more workers would not have helped; gates say that there was none.
        return phase_kind(self._record.plan.kind).has_load and bool(self._seconds) and self._requests > 0

    def _rate_limited(self) -> Message | None:
        held = [sum(state.held for state in second.workers) for second in self._seconds]
        if sum(held) <= HELD * self._requests:
            return None
        waited = sum(count > 0 for count in held)
        return message("generator-rate-limited", waited=waited, seconds=len(held), most=max(held))

    def _busy(self) -> Message | None:
        for worker, states in self._workers.items():
            busy, taken = self._busy_seconds(states), TakenCores.of(states)
            if busy > BUSY_SECONDS * len(states):
                return message(
                    "generator-busy",
                    worker=worker,
                    share=BUSY,
                    busy=busy,
                    seconds=len(states),
                    taken=taken,
                    advice=self._advice(0 if str(taken) else len(self._workers) + 1),
                )
        return None

    def _busy_seconds(self, states: Sequence[WorkerSecond]) -> int:
        """In how many seconds a worker had work for :data:`BUSY` of its core, or of its turns: then all or none."""
        turns = self._record.plan.turns
        if not turns:
            return sum(state.wanted > BUSY for state in states)
        own = 1 / len(set(turns))
        # Its waits for a core do not count here, because it also waits during the other build's turns.
        return len(states) if float(np.mean([state.cpu for state in states])) > BUSY * own else 0

    def _stalled(self) -> Message | None:
        for worker, states in self._workers.items():
            lags_ms = [state.lag_ms for state in states]
            stall_ms = float(np.mean(lags_ms))
            if stall_ms > max(1000 * STALL, DISTORTION * self._p95_ms):
                return message(
                    "generator-stalled",
                    worker=worker,
                    stall_ms=stall_ms,
                    longest_ms=max(lags_ms),
                    taken=TakenCores.of(states),
                    advice=self._advice(),
                )
        return None

    def _late(self, code: str, own: Histogram) -> Message:
        taken = TakenCores.of([state for each in self._workers.values() for state in each])
        return Message(code, {"late_ms": late_us(own) / 1000, "taken": taken, "advice": self._advice()})

    def _advice(self, least: int = 0) -> Message:
        """What helps: more workers only where the work takes more cores than the workers have."""
        needed = max(self._workers_needed(), least)
        if needed > len(self._workers):
            return message("generator-more-workers", needed=needed, option=Option("workers", needed))
        return message("generator-quieter-machine")

    def _workers_needed(self) -> int:
        """How many workers do what the phase asks for; the formula is in the module's docstring. 0: unknown."""
        used_s = sum(state.cpu for states in self._workers.values() for state in states)
        begun = sum(state.iterations for states in self._workers.values() for state in states)
        if not begun:
            return 0
        rate = begun / len(self._seconds)
        if self._record.plan.model == "open":
            reached = self._record.plan.segments[: max(1, len(self._record.span.segments))]
            rate = max(rate, *(level for segment in reached for level in (segment.start, segment.end)))
        return math.ceil(rate * used_s / begun / COMFORTABLE)


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


def waiting_for_users(record: PhaseRecord, run: RunRecording) -> Message | None:
    """A warning where the open model's arrivals waited for users; None where they did not."""
    if record.plan.model != "open":
        return None
    seconds = record.seconds(run.journal)
    most = record.plan.max_users or 0
    own = [number for number, target in enumerate(run.plan.targets) if target.name == record.variant]

    def is_full(second: Second, target: int) -> bool:
        states = [state for state in second.workers if run.plan.target_of(state.worker) == target]
        return sum(state.users for state in states) >= most and any(state.waiting for state in states)

    full = sum(any(is_full(second, target) for target in own) for second in seconds)
    if not full:
        return None
    return message("arrivals-waited", phase=record.plan.name, users=most, full=full, seconds=len(seconds))
