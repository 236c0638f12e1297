"""Totals of a run so far, added up as the journal grows, for the live view and the gates.

Each second is added once. Only sums are kept, and the last minute second by second, so the cost does not grow with the
run.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from harness.gates.live_faults import LiveFaults
from harness.metrics.aggregate import Accumulator, Aggregate
from harness.plan.duet import A
from harness.plan.model.phase import EVERY, Phase
from harness.plan.model.run import Gate, RunPlan
from harness.plan.phases import phase_kind
from harness.plan.search import as_ran
from harness.record.endpoint_second import EndpointSecond
from harness.record.journal import Journal
from harness.record.journal_entries import Endpoint, PhaseSpan, Second
from harness.record.measurement import ALL

KEPT_S = 60
"""How many seconds are kept one by one."""


@dataclass(frozen=True, slots=True)
class SecondStats:
    """One second: the requests that ended in it, by the phase that started them, and how the load workers fared."""

    second: int
    users: int
    iterations: int
    waiting: int
    cpu_max: float
    """The share of a core that the busiest worker used, or would have used if it had been given it."""
    lag_ms_max: float
    phases: dict[int, Aggregate]
    all: Aggregate

    @classmethod
    def of(cls, second: Second) -> SecondStats:
        parts: dict[int, list[EndpointSecond]] = {}
        for part in second.endpoint_seconds:
            parts.setdefault(part.phase, []).append(part)
        phases = {phase: Aggregate.of(each, 1.0) for phase, each in parts.items()}
        return cls(
            second.second,
            second.users,
            sum(worker.iterations for worker in second.workers),
            sum(worker.waiting for worker in second.workers),
            max((worker.wanted for worker in second.workers), default=0.0),
            max((worker.lag_ms for worker in second.workers), default=0.0),
            phases,
            Aggregate.of(phases.values(), 1.0),
        )


class _Seconds(Accumulator):
    """The requests of some seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: set[int] = set()

    def add_in(self, second: int, part: EndpointSecond) -> None:
        self.seconds.add(second)
        self.add(part)


class RunTotals:
    """Follows a journal; :meth:`update` adds what the journal has gained since the last call."""

    def __init__(self, plan: RunPlan, faults: LiveFaults | None = None) -> None:
        self.plan = plan
        self.faults = faults
        """None if no gate needs them: then all seconds count."""
        self.epoch_s = 0.0
        """When the run began; 0 before."""
        self.now_s = 0.0
        """The end of what was recorded, in seconds from the start."""
        self.spans: dict[int, PhaseSpan] = {}
        self.seconds: dict[int, SecondStats] = {}
        """The last :data:`KEPT_S` seconds that were recorded, in order."""
        self.failures: Counter[tuple[Endpoint, str]] = Counter()
        """Of the whole run, by endpoint and kind."""
        self.checks: dict[tuple[int, str], list[int]] = {}
        """By phase and name: how often a check of the scenario passed and failed; in a duet, on build B."""
        self.ended = False
        self._phases: dict[int, Accumulator] = {}
        self._builds: dict[tuple[int, str], Accumulator] = {}
        """Of a duet, by phase and build."""
        self._endpoints: dict[tuple[int, str], Accumulator] = {}
        """Of the phase that runs, or ran last; of earlier ones only what a gate reads."""
        self._steps: dict[int, Accumulator] = {}
        """Of the newest phase, if it goes by steps; by segment."""
        self._newest = -1
        self._gated = {gate.endpoint or ALL for gate in plan.gates}
        self._by_second: dict[tuple[int, str], Counter[int]] = {}
        """Requests second by second, of what gates read, without the seconds that faults disturbed."""
        self._disturbed: dict[tuple[int, str], _Seconds] = {}
        """These seconds."""
        self._under: dict[tuple[int, str, str], _Seconds] = {}
        """Those in which the fault of that name was active."""
        self._arrived = 0
        self._failures_seen = 0

    @property
    def current(self) -> PhaseSpan | None:
        """The phase that runs, or ran last; None before the first."""
        return next(reversed(self.spans.values()), None)

    @property
    def endpoints(self) -> dict[str, Aggregate]:
        """Each endpoint of the phase that runs, or ran last; in a duet those of build B."""
        length_s = self._length_s(self._newest)
        return {
            endpoint: total.over(length_s)
            for (phase, endpoint), total in self._endpoints.items()
            if phase == self._newest
        }

    @property
    def steps(self) -> dict[int, Aggregate]:
        """Each step of the phase that runs, or ran last, by segment, in order; nothing if it goes by no steps."""
        span = self.current
        if span is None or span.phase != self._newest:
            return {}
        segments = self.phase(span).segments
        return {
            number: self._steps[number].over(min(segments[number].duration_s, self.now_s - span.segments[number]))
            for number in sorted(self._steps)
            if number < min(len(segments), len(span.segments)) and segments[number].counts
        }

    def phase(self, span: PhaseSpan) -> Phase:
        return as_ran(self.plan.phases[span.phase], span, self.now_s)

    def total(self, phase: int, endpoint: str = ALL) -> Aggregate | None:
        """All requests that phase number ``phase`` has started; None before the first.

        Of a phase that is over, single endpoints are known only where a gate reads them.
        """
        found = self._phases.get(phase) if endpoint == ALL else self._endpoints.get((phase, endpoint))
        return found.over(self._length_s(phase)) if found is not None else None

    def of_gate(self, phase: int, gate: Gate) -> Aggregate | None:
        """What a gate reads of :meth:`total`: the seconds under the fault that it names, or those without any."""
        endpoint = gate.endpoint or ALL
        if gate.comparison.fault is not None:
            under = self._under.get((phase, endpoint, gate.comparison.fault))
            return under.over(len(under.seconds)) if under is not None else None
        total, disturbed = self.total(phase, endpoint), self._disturbed.get((phase, endpoint))
        if total is None or disturbed is None:
            return total
        part = disturbed.over(len(disturbed.seconds))
        return Aggregate(
            total.requests - part.requests,
            total.started - part.started,
            total.failures - part.failures,
            total.response.minus(part.response),
            max(0.0, total.length_s - part.length_s),
        )

    def build(self, phase: int, build: str) -> Aggregate | None:
        """As :meth:`total`, of one build of a duet, which has half of the time if they take turns."""
        found = self._builds.get((phase, build))
        share = 1.0 if EVERY in self.plan.phases[phase].turns else 0.5
        return found.over(share * self._length_s(phase)) if found is not None else None

    def service(self, phase: int) -> Aggregate | None:
        """As :meth:`total`, with service times in place of response times."""
        found = self._phases.get(phase)
        return found.service_over(self._length_s(phase)) if found is not None else None

    def by_second(self, phase: int, endpoint: str = ALL) -> Counter[int]:
        """How many requests ended in each second, of those that :meth:`of_gate` counts for a gate without a fault."""
        return self._by_second.get((phase, endpoint), Counter())

    def update(self, journal: Journal) -> bool:
        """Add what is new; whether any second was."""
        self.epoch_s = journal.epoch_s
        if self.faults is not None:
            self.faults.update()
        self.spans = {span.phase: span for span in journal.phases}
        self.now_s = journal.last_s
        self.ended = journal.end_s is not None
        for count in journal.failures[self._failures_seen :]:
            self.failures[journal.endpoints[count.endpoint], count.failure] += count.count
        self._failures_seen = len(journal.failures)
        arrived = journal.arrived[self._arrived :]
        self._arrived = len(journal.arrived)
        for second in arrived:
            for part in second.endpoint_seconds:
                self._add(second.second, part, journal.endpoints[part.endpoint])
            for check in second.checks:
                if check.variant != A:
                    counts = self.checks.setdefault((check.phase, check.name), [0, 0])
                    counts[:] = counts[0] + check.passed, counts[1] + check.failed
        # A part that a worker reported late makes a known second grow.
        changed = {second.second for second in arrived}
        self.seconds = {
            second.second: SecondStats.of(second) if second.second in changed else self.seconds[second.second]
            for second in journal.seconds[-KEPT_S:]
        }
        return bool(arrived)

    def _add(self, second: int, part: EndpointSecond, of: Endpoint) -> None:
        phase, endpoint = part.phase, str(of)
        if phase > self._newest:
            self._newest = phase
            self._endpoints = {key: total for key, total in self._endpoints.items() if key[1] in self._gated}
            self._steps = {}
        self._phases.setdefault(phase, Accumulator()).add(part)
        if self.plan.is_duet:
            self._builds.setdefault((phase, of.variant), Accumulator()).add(part)
            if of.variant == A:  # gates and endpoints are build B's
                return
        if phase == self._newest and phase_kind(self.plan.phases[phase].kind).by_steps:
            self._steps.setdefault(part.segment, Accumulator()).add(part)
        if phase == self._newest or endpoint in self._gated:
            self._endpoints.setdefault((phase, endpoint), Accumulator()).add(part)
        at_s = self.epoch_s + second
        disturbed = self.faults is not None and self.faults.disturb(at_s)
        for key in self._gated & {ALL, endpoint}:
            if not disturbed:
                self._by_second.setdefault((phase, key), Counter())[second] += part.requests
                continue
            self._disturbed.setdefault((phase, key), _Seconds()).add_in(second, part)
            for fault in self.faults.at_work(at_s) if self.faults is not None else ():
                self._under.setdefault((phase, key, fault.name), _Seconds()).add_in(second, part)

    def _length_s(self, phase: int) -> float:
        span = self.spans.get(phase)
        if span is None:
            return 0.0
        length_s = (self.now_s if span.end_s is None else span.end_s) - span.start_s
        return min(length_s, self.plan.phases[phase].duration_s or length_s)

    def last(self, seconds: float, *, phase: PhaseSpan | None = None) -> Aggregate:
        """The last ``seconds`` that were recorded: of all requests, or of those that one phase started, in its time."""
        end_s = max(self.seconds, default=-1) + 1.0
        start_s = max(0.0, end_s - seconds)
        if phase is not None:
            end_s = min(end_s, phase.end_s if phase.end_s is not None else end_s)
            start_s = max(phase.start_s, math.ceil(end_s) - seconds)
        return Aggregate.of(
            (
                part
                for second in self.seconds.values()
                if start_s - 1 < second.second < end_s
                for number, part in second.phases.items()
                if phase is None or number == phase.phase
            ),
            max(0.0, end_s - start_s),
        )

    def latest(self) -> SecondStats | None:
        """The last second that was recorded."""
        return next(reversed(self.seconds.values()), None)

    def recent(self, seconds: int) -> list[SecondStats]:
        """The last ``seconds`` that were recorded, oldest first; fewer at a run's start."""
        return list(self.seconds.values())[-seconds:]


def goal_at(plan: Phase, span: PhaseSpan, at_s: float) -> float | None:
    """The load goal, which may be on its way up or down, at a moment of the run: users, or arrivals per second.

    None for a shape, whose goal only Locust knows.
    """
    begun = max(1, sum(begin_s <= at_s for begin_s in span.segments))
    return plan.segments[begun - 1].end if plan.segments else None


def arrivals(seconds: list[SecondStats]) -> float:
    """Iterations begun a second, over ``seconds``."""
    return sum(second.iterations for second in seconds) / len(seconds) if seconds else 0.0
