"""Gates while the run goes on: how each stands now, and whether one has failed beyond recovery.

This is asked every second, so it has to be cheap: it reads totals and computes no intervals. How a gate stands here is
news; whether it held is for :func:`harness.gates.judge.judge`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.gates.live_faults import LiveFaults
from harness.gates.run_totals import RunTotals
from harness.messages import Message, message
from harness.metrics.aggregate import Aggregate
from harness.metrics.formatting import Amount
from harness.metrics.named import name_in
from harness.metrics.statistics import Maximum, Mean, Proportion, Quantile, Rate
from harness.plan.duet import A, B
from harness.plan.gating import reads
from harness.plan.model.phase import Phase
from harness.plan.model.run import Gate, RunPlan
from harness.plan.phases import phase_kind
from harness.plan.requirement import Comparison
from harness.record.journal import Journal
from harness.record.journal_entries import PhaseSpan
from harness.record.measurement import ALL

MARGIN = 1.5
"""How far a gate must be beyond what the rest of the phase could still correct before it is lost."""
_FEWEST_OVER = 20
_FEWEST_FAILURES = 10
_FEWEST_SECONDS = 3


@dataclass(frozen=True, slots=True)
class LiveGate:
    """How one gate stands in one phase.

    ``holds`` is None as long as nothing can be compared with the limit; a gate that compares with the baseline, or
    is about the target's processes, is judged only after the run.
    """

    gate: Gate
    phase: str
    observed: float | None
    limit: float | None
    unit: str
    holds: bool | None
    build_a: float | None = None
    """In a duet, what ``observed``, which is build B's, is compared with."""


@dataclass(frozen=True, slots=True)
class LostGate:
    """A gate that cannot hold any more in a phase, and why."""

    gate: Gate
    phase: str
    reason: Message


class LiveGates:
    """The gates of a run, judged by ``totals``, which the caller keeps up to date."""

    def __init__(self, totals: RunTotals) -> None:
        self._totals = totals
        self._plan = totals.plan
        self._numbers = {phase.name: number for number, phase in enumerate(self._plan.phases)}

    def standing(self) -> list[LiveGate]:
        """Every gate in every phase it reads, in the order of the plan."""
        return [self._live(gate, phase) for gate in self._plan.gates for phase in self._phases(gate)]

    def _live(self, gate: Gate, phase: str) -> LiveGate:
        comparison = gate.comparison
        number = self._numbers[phase]
        of_build_b = self._plan.is_duet and gate.endpoint is None and comparison.fault is None
        total = self._totals.build(number, B) if of_build_b else self._totals.of_gate(number, gate)
        of_requests = comparison.measures.needs == "requests"
        observed = comparison.measures.value(total) if total is not None and of_requests else None
        if comparison.measures.needs == "checks" and not self._plan.faults:  # whose seconds do not count
            passed, failed = self._totals.checks.get((number, name_in(comparison.metric)), (0, 0))
            observed = 100 * passed / (passed + failed) if passed + failed else None
        limit = None if comparison.baseline else comparison.value
        holds = None if observed is None or comparison.baseline else comparison.holds(observed, comparison.value)
        other = self._totals.build(number, A) if of_build_b and comparison.baseline else None
        build_a = comparison.measures.value(other) if other is not None and of_requests else None
        return LiveGate(gate, phase, observed, limit, comparison.measures.unit.name, holds, build_a)

    def lost(self) -> LostGate | None:
        """The first gate that has failed beyond recovery; None while all may still hold."""
        for gate in self._plan.gates:
            for phase in self._phases(gate):
                reason = self.beyond_recovery(gate, phase)
                if reason is not None:
                    return LostGate(gate, phase, reason)
        return None

    def beyond_recovery(self, gate: Gate, phase: str) -> Message | None:
        """Why ``gate`` would fail in ``phase`` even if all goes well from here on; None while it may hold.

        Assumes that the rest of the phase brings as many requests a second as its best second did, all of them good,
        and asks for :data:`MARGIN` on top. A gate against a baseline is never given up: noise is not known yet. Nor is
        one on a fault, and no other is given up for the seconds that faults disturbed.
        """
        number, endpoint = self._numbers.get(phase, -1), gate.endpoint or ALL
        span, sofar = self._totals.spans.get(number), self._totals.of_gate(number, gate)
        by_second = self._totals.by_second(number, endpoint)
        comparison = gate.comparison
        if span is None or sofar is None or not sofar.requests or comparison.baseline or comparison.fault is not None:
            return None
        if gate.comparison.measures.needs == "checks":
            return None
        plan = self._plan.phases[number]
        if len(by_second) < _FEWEST_SECONDS or not plan.duration_s:
            return None
        left_s = max(0.0, plan.duration_s - sofar.length_s)
        if span.end_s is not None and span.reason != "cut short":
            left_s = 0.0
        peak = max(by_second.values()) * _growth(plan, span, sofar.length_s)
        return _why_lost(comparison, sofar, sofar.requests + left_s * peak, sofar.length_s + left_s)

    def _phases(self, gate: Gate) -> list[str]:
        if gate.phase is not None:
            return [gate.phase] if gate.phase in self._numbers else []
        return [phase.name for phase in self._plan.phases if reads(gate, phase)]


def _growth(plan: Phase, span: PhaseSpan, elapsed_s: float) -> float:
    """How many times as high as so far the load goal will be at most in the rest of the phase; at least 1."""
    levels = [max(segment.start, segment.end) for segment in plan.segments]
    sofar = max(levels[: max(1, len(span.segments))])
    # A ramp has not reached its level yet; a step's load is known from its start.
    first = plan.segments[0]
    if phase_kind(plan.kind).grows_evenly and first.duration_s:
        sofar = first.start + (first.end - first.start) * min(1.0, elapsed_s / plan.duration_s)
    return max(1.0, max(levels) / sofar) if sofar > 0 else 1.0


def _why_lost(comparison: Comparison, sofar: Aggregate, expected: float, length_s: float) -> Message | None:
    """Why a requirement cannot hold over ``expected`` requests in ``length_s`` seconds; None while it may."""
    metric, limit = comparison.measures, Amount(comparison.value, comparison.measures.unit.name)
    match metric.statistic:
        case Rate():
            # A count of some of the requests can grow by at most the number of remaining requests.
            best = Amount(expected / length_s, limit.unit)
            if not comparison.is_upper and best < limit / MARGIN:
                return message("gate-lost-rate", best=best, limit=limit)
        case _ if not comparison.is_upper:
            return None
        case Quantile(q):
            over, allowed = sofar.response.count_above(math.ceil(limit * 1000)), (1 - q) * expected
            if over >= _FEWEST_OVER and over > MARGIN * allowed:
                return message("gate-lost-percentile", over=over, limit=limit, expected=expected, allowed=allowed)
        case Proportion(count):
            counted, allowed = int(count(sofar)), limit / 100 * expected
            if counted > MARGIN * allowed and (not limit or counted >= _FEWEST_FAILURES):
                return message("gate-lost-failures", failures=counted, expected=expected, allowed=allowed)
        case Maximum():
            longest = metric.value(sofar)
            if longest is not None and longest > limit:
                return message("gate-lost-maximum", longest=Amount(longest, limit.unit))
        case Mean():
            least = Amount(sofar.response.sum_us / 1000 / expected, limit.unit)
            if least > MARGIN * limit:
                return message("gate-lost-mean", least=least)
    return None


def failed_beyond_recovery(
    plan: RunPlan, journal: Journal, gate: Gate, faults: LiveFaults | None = None
) -> Message | None:
    """Why ``gate`` cannot hold any more, from the journal so far; to follow a run, keep :class:`LiveGates`."""
    totals = RunTotals(plan.model_copy(update={"gates": (gate,)}), faults)
    totals.update(journal)
    lost = LiveGates(totals).lost()
    return lost.reason if lost is not None else None
