"""Gates while the run goes on: how each stands now, and whether one has failed beyond recovery.

Told every second, so it must be cheap: what each gate reads is added up as it comes in, nothing is read twice, and
there are no intervals. How a gate stands here is news; whether it held is for :func:`harness.gates.judge.judge`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.gates.limits import limit_of
from harness.metrics import formatting
from harness.metrics.aggregate import Accumulator
from harness.metrics.comparators import is_upper
from harness.metrics.statistics import Maximum, Mean, Proportion, Quantile, Rate
from harness.plan.model import Gate, Phase, RunPlan
from harness.plan.phases import phase_kind
from harness.record.endpoint_second import EndpointSecond
from harness.record.journal import Journal, PhaseSpan
from harness.record.measurement import ALL

MARGIN = 1.5
"""How far beyond what the rest of the phase could make good a gate must be to be given up."""
_FEWEST_OVER = 20
_FEWEST_FAILURES = 10
_FEWEST_SECONDS = 3


@dataclass(frozen=True, slots=True)
class LiveGate:
    """How one gate stands in one phase. ``holds`` is None as long as there is nothing to hold against the limit, which
    a gate that compares with the baseline has only after the run.
    """

    gate: Gate
    phase: str
    observed: float | None
    limit: float | None
    unit: str
    holds: bool | None


class _Tally(Accumulator):
    """What one phase and endpoint has seen so far."""

    def __init__(self) -> None:
        super().__init__()
        self.by_second: dict[int, int] = {}

    def add_second(self, second: int, series: EndpointSecond) -> None:
        self.add(series)
        self.by_second[second] = self.by_second.get(second, 0) + series.requests


class GateWatch:
    """Follows the gates of a run; :meth:`update` takes in what the journal has grown by."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._numbers = {phase.name: number for number, phase in enumerate(plan.phases)}
        self._tallies: dict[tuple[int, str], _Tally] = {}
        for gate in plan.gates:
            for phase in self._phases(gate):
                self._tallies[self._numbers[phase], gate.endpoint or ALL] = _Tally()
        self._spans: dict[int, PhaseSpan] = {}
        self._seen = 0
        self._now_s = 0.0

    def update(self, journal: Journal) -> None:
        """Take in the seconds that ``journal`` has gained since the last call."""
        for second in journal.arrived[self._seen :]:
            for series in second.endpoint_seconds:
                for key in (ALL, str(journal.endpoints[series.endpoint])):
                    tally = self._tallies.get((series.phase, key))
                    if tally is not None:
                        tally.add_second(second.second, series)
        self._seen = len(journal.arrived)
        self._spans = {span.phase: span for span in journal.phases}
        self._now_s = journal.last_s

    def standing(self) -> list[LiveGate]:
        """Every gate in every phase it reads, in the order of the plan."""
        return [self._live(gate, phase) for gate in self._plan.gates for phase in self._phases(gate)]

    def lost(self) -> str | None:
        """The first gate that has failed beyond recovery, in one sentence; None while all may still hold."""
        for gate in self._plan.gates:
            for phase in self._phases(gate):
                why = self.beyond_recovery(gate, phase)
                if why:
                    return f"gate `{gate.comparison.source}` in {phase} cannot hold any more: {why}"
        return None

    def beyond_recovery(self, gate: Gate, phase: str) -> str | None:
        """Why ``gate`` would fail in ``phase`` even if all goes well from here on; None while it may hold.

        Reckons that the rest of the phase brings as many requests a second as its best second did, all of them good,
        and asks for :data:`MARGIN` on top. A gate against a baseline is never given up: noise is not known yet.
        """
        number = self._numbers.get(phase, -1)
        span, tally = self._spans.get(number), self._tallies.get((number, gate.endpoint or ALL))
        if span is None or tally is None or not tally.requests or gate.comparison.baseline:
            return None
        if len(tally.by_second) < _FEWEST_SECONDS:
            return None
        plan = self._plan.phases[number]
        if not plan.duration_s:
            return None
        return _lost(gate, tally, *self._expected(plan, span, tally))

    def _expected(self, plan: Phase, span: PhaseSpan, tally: _Tally) -> tuple[float, float]:
        """How many requests the phase may have at its end, and how long it will have been."""
        end_s = self._now_s if span.end_s is None else span.end_s
        elapsed_s = end_s - span.start_s
        left_s = max(0.0, plan.duration_s - elapsed_s)
        if span.end_s is not None and span.reason != "cut short":
            left_s = 0.0
        reached = max(1, len(span.segments))
        levels = [max(segment.start, segment.end) for segment in plan.segments]
        # A ramp has not reached its level yet; a step's load is known from its start.
        first = plan.segments[0]
        sofar = max(levels[:reached])
        if phase_kind(plan.kind).grows_evenly and first.duration_s:
            sofar = first.start + (first.end - first.start) * min(1.0, elapsed_s / plan.duration_s)
        growth = max(levels) / sofar if sofar > 0 else 1.0
        peak = max(tally.by_second.values()) * max(1.0, growth)
        return tally.requests + left_s * peak, elapsed_s + left_s

    def _phases(self, gate: Gate) -> list[str]:
        if gate.phase is not None:
            return [gate.phase] if gate.phase in self._numbers else []
        return [phase.name for phase in self._plan.phases if phase.measured]

    def _live(self, gate: Gate, phase: str) -> LiveGate:
        number = self._numbers[phase]
        observed = self._observed(gate, number)
        limit = None if gate.comparison.baseline else limit_of(gate.comparison, None)
        holds = None
        if observed is not None and limit is not None:
            holds = gate.comparison.holds(observed)
        return LiveGate(gate, phase, observed, limit, gate.comparison.measures.unit.name, holds)

    def _observed(self, gate: Gate, number: int) -> float | None:
        tally, span = self._tallies[number, gate.endpoint or ALL], self._spans.get(number)
        if span is None or not tally.requests:
            return None
        elapsed_s = (self._now_s if span.end_s is None else span.end_s) - span.start_s
        return gate.comparison.measures.value(tally.over(elapsed_s))


def _lost(gate: Gate, tally: _Tally, expected: float, length_s: float) -> str | None:
    comparison, limit, sofar = gate.comparison, gate.comparison.value, tally.over(length_s)
    response, unit = sofar.response, comparison.measures.unit.name
    statistic = comparison.measures.statistic
    if not is_upper(comparison.comparator):
        if isinstance(statistic, Rate) and expected / length_s < limit / MARGIN:
            best = formatting.amount(expected / length_s, unit)
            return f"at best {best} can still be reached, the limit is {formatting.amount(limit, unit)}"
        return None
    allowed: float
    match statistic:
        case Quantile(q):
            over, allowed = response.count_above(math.ceil(limit * 1000)), (1 - q) * expected
            if over >= _FEWEST_OVER and over > MARGIN * allowed:
                return (
                    f"{over:,} requests took longer than {formatting.amount(limit, unit)} already, of about "
                    f"{expected:,.0f} that the phase will have only {allowed:,.0f} may"
                )
        case Proportion(count):
            counted, allowed = int(count(sofar)), limit / 100 * expected
            if counted > MARGIN * allowed and (limit == 0 or counted >= _FEWEST_FAILURES):
                return (
                    f"{counted:,} requests have failed already, of about {expected:,.0f} that the phase will have "
                    f"only {allowed:,.0f} may"
                )
        case Maximum():
            if response.max_us / 1000 > limit:
                return f"a request took {formatting.amount(response.max_us / 1000, unit)}"
        case Mean():
            least = response.sum_us / 1000 / expected
            if least > MARGIN * limit:
                return f"even if all requests to come took no time, the mean would be {formatting.amount(least, unit)}"
    return None


def failed_beyond_recovery(plan: RunPlan, journal: Journal, gate: Gate) -> str | None:
    """Why ``gate`` cannot hold any more, from the journal so far; to follow a run, keep a :class:`GateWatch`."""
    watch = GateWatch(plan.model_copy(update={"gates": (gate,)}))
    watch.update(journal)
    return watch.lost()
