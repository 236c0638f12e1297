"""Why a gate of a run is too close to tell, and what would settle it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from harness.analysis.baseline_difference import against
from harness.analysis.capacity import steps_of
from harness.analysis.comparability import beside_baseline
from harness.analysis.faults import under_fault
from harness.analysis.intervals import FEWEST, requests_to_bound, requests_to_show
from harness.analysis.measurement import measure
from harness.analysis.samples import seconds_in
from harness.analysis.settling_gates import Settling
from harness.gates.requirement import Judgement, detectable_of
from harness.messages import Message, Option, message
from harness.metrics import TARGET_METRICS
from harness.metrics.formatting import Amount
from harness.metrics.statistics import Maximum, Mean, Proportion, Quantile
from harness.plan.model.run import Gate
from harness.plan.phases.base import Level
from harness.record.gate_result import Settle
from harness.record.measurement import ALL, EndpointMeasurement, Interval
from harness.record.phase_summary import PhaseSummary
from harness.recording.run import PhaseRecord, RunRecording


@dataclass(frozen=True, slots=True)
class RunDoubt:
    """The doubt about one gate in one phase, as :data:`harness.gates.requirement.Doubt`."""

    gate: Gate
    run: RunRecording
    record: PhaseRecord
    measured: EndpointMeasurement
    summary: PhaseSummary
    baseline_runs: int
    """How many runs it was compared with."""

    def __call__(self, found: Judgement, settling: Settling, figures: dict[str, Any]) -> tuple[Message, Settle]:
        comparison, seconds = self.gate.comparison, self._seconds
        needed = settling.times_longer and math.ceil(round(seconds * settling.times_longer, 3) / 10) * 10
        settle = Settle(
            seconds=None if comparison.during else needed,
            fault_seconds=needed if comparison.during else None,
            baseline_runs=settling.baseline_runs,
            metric=self._keener_metric(found) if comparison.baseline and comparison.during is None else None,
            detectable=detectable_of(comparison, found),
        )
        return self._reason(found, settle, figures), settle

    def _reason(self, found: Judgement, settle: Settle, figures: dict[str, Any]) -> Message:
        comparison, seconds, requests = self.gate.comparison, self.measured.seconds, self.measured.requests
        strained, statistic = self.summary.generator_strained, comparison.measures.statistic
        needed = _requests_needed(statistic, seconds, found.observed, found.limit)
        # Lateness makes times longer; where only the upper end of a figure within its limit is unknown, it is no cause.
        within = comparison.holds_all_over(found.observed.value, found.observed.value, found.limit)
        if strained and isinstance(statistic, Quantile | Mean | Maximum) and not (within and requests < needed):
            return message("gate-generator-late", why=strained, **figures)
        if comparison.measures.needs == "steps":
            if self.record.plan.search is not None and self.summary.cut_short and self.run.journal.end_reason == "done":
                return message("gate-search-cut-short", how=self.summary.cut_short, **figures)
            lowest = min(step.level for step in steps_of(self.record, self.run.journal))
            if found.observed.value == 0 and found.limit < lowest:
                level = str(Level(self.record.plan.model, lowest))
                return message("gate-capacity-below-levels", lowest=level, **figures)
            return message("gate-capacity-uncertain", **figures)
        if requests < needed and comparison.measures.needs == "checks":
            return message("gate-too-few-checks", checks=requests, seconds=seconds, needed=needed, **figures)
        if requests < needed:
            return message("gate-too-few-requests", requests=requests, seconds=seconds, needed=needed, **figures)
        beside_a = comparison.baseline and self.run.plan.is_duet
        known_ways = settle.seconds or settle.fault_seconds or settle.baseline_runs
        if found.observed.high is None and not beside_a and not known_ways:
            return message("gate-unbounded", **figures)
        ways = self._ways(settle)
        if not comparison.baseline:
            return message("gate-too-close", settle=ways[0], **figures)
        seen = message("gate-nothing-detectable")
        if settle.detectable is not None:
            seen = message("gate-detectable", least=Amount(settle.detectable, comparison.measures.unit.name))
        if found.few_runs:
            return message("gate-few-baseline-runs", runs=self.baseline_runs, settle=ways, seen=seen, **figures)
        return message("gate-within-noise", settle=ways, seen=seen, **figures)

    @property
    def _seconds(self) -> int:
        """The length of the phase, which the builds of a duet share; of a gate on a fault, how long that lasted."""
        if self.gate.comparison.during is not None:
            return int(under_fault(self.record, self.run, self.gate.comparison.during).sum())
        return len(seconds_in(self.record))

    def _ways(self, settle: Settle) -> list[Message]:
        ways = []
        if settle.seconds is not None:
            ways.append(message("gate-settle-longer", seconds=self._seconds, needed=settle.seconds))
        if settle.fault_seconds is not None:
            fault = self.gate.comparison.during
            ways.append(message("gate-settle-fault", fault=fault, seconds=self._seconds, needed=settle.fault_seconds))
        if settle.baseline_runs is not None:
            ways.append(message("gate-settle-runs", runs=self.baseline_runs, needed=settle.baseline_runs))
        if settle.metric is not None:
            ways.append(message("gate-settle-metric", metric=settle.metric))
        starts = len(self.run.plan.targets) // 2
        if not ways and self.gate.comparison.baseline and starts > 1:  # no time narrows how starts differ
            ways = [message("gate-settle-starts", option=Option("starts"), starts=starts)]
        if not ways and self.gate.comparison.baseline and not self.run.plan.is_duet:
            ways = [message("gate-settle-duet"), message("gate-settle-calibrated-limit")]
        return ways or [message("gate-settle-limit")]

    def _has_gate_on(self, metric: str) -> bool:
        """Whether another gate compares that metric of this phase with the baseline."""
        others = (gate for gate in self.run.plan.gates if gate.comparison.metric == metric and gate.comparison.baseline)
        return any(gate.phase in (None, self.record.plan.name) for gate in others)

    def _keener_metric(self, found: Judgement) -> str | None:
        """A metric of the target in place of a response time, if this run and its baseline show it more precisely.

        Not one that a gate of the run compares with the baseline already: its own row says what it shows.
        """
        asked, phase = (
            self.gate.comparison.measures,
            measure(self.run).phase(self.record.plan.name, self.record.variant),
        )
        if self.run.plan.is_duet or asked.needs != "requests" or asked.unit.name != "ms" or phase is None:
            return None
        for metric in TARGET_METRICS.values():
            beside = beside_baseline(self.run, phase, ALL, metric.name)
            if (
                metric.unit is asked.unit
                and beside is not None
                and beside.earlier
                and not self._has_gate_on(metric.name)
            ):
                _, seen = against(beside.observed, beside.figures, metric, doubtful=True, calibrated=beside.noise)
                if _spread(seen) < _spread(found.observed):
                    return metric.name
        return None


def _spread(interval: Interval) -> float:
    """How far the figure lies above the lower end of its interval, relative to it."""
    return interval.value / interval.low if interval.low > 0 else math.inf


def _requests_needed(statistic: object, seconds: int, observed: Interval, limit: float) -> int:
    """How many requests it takes at the least, where too few may be why the gate is inconclusive; else 0."""
    match statistic:
        case Mean() if observed.high is None:
            return FEWEST
        case Quantile(q) if observed.high is None:
            return requests_to_bound(q, seconds)
        case Proportion() if observed.value == 0 and limit > 0:
            return requests_to_show(limit / 100, seconds)
        case Proportion() if observed.value == 100 and limit < 100:
            return requests_to_show(1 - limit / 100, seconds)
    return 0
