"""Why a gate of a run is too close to tell, and what would settle it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from harness.analysis.baseline_difference import against
from harness.analysis.comparability import beside_baseline
from harness.analysis.intervals import FEWEST, requests_to_bound, requests_to_show
from harness.analysis.measurement import measure
from harness.analysis.samples import seconds_in
from harness.analysis.settling_gates import Settling
from harness.gates.requirement import Judgement, detectable_of
from harness.messages import Message, message
from harness.metrics import TARGET_METRICS
from harness.metrics.formatting import Amount
from harness.metrics.statistics import Maximum, Mean, Proportion, Quantile
from harness.plan.model import Gate
from harness.record.measurement import ALL, EndpointMeasurement, Interval
from harness.record.summary import PhaseSummary, Settle
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
        settle = Settle(
            seconds=settling.times_longer and math.ceil(round(seconds * settling.times_longer, 3) / 10) * 10,
            baseline_runs=settling.baseline_runs,
            metric=self._keener_metric(found) if comparison.baseline else None,
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
            return message("gate-capacity-uncertain", **figures)
        if requests < needed:
            return message("gate-too-few-requests", requests=requests, seconds=seconds, needed=needed, **figures)
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
        """The length of the phase, which the builds of a duet share."""
        return round(self.record.length_s) if self.record.turns else len(seconds_in(self.record))

    def _ways(self, settle: Settle) -> list[Message]:
        ways = []
        if settle.seconds is not None:
            ways.append(message("gate-settle-longer", seconds=self._seconds, needed=settle.seconds))
        if settle.baseline_runs is not None:
            ways.append(message("gate-settle-runs", runs=self.baseline_runs, needed=settle.baseline_runs))
        if settle.metric is not None:
            ways.append(message("gate-settle-metric", metric=settle.metric))
        return ways or [message("gate-settle-limit")]

    def _keener_metric(self, found: Judgement) -> str | None:
        """A metric of the target in place of a response time, if this run and its baseline show it more precisely."""
        asked, phase = (
            self.gate.comparison.measures,
            measure(self.run).phase(self.record.plan.name, self.record.variant),
        )
        if self.run.plan.is_duet or asked.needs != "requests" or asked.unit.name != "ms" or phase is None:
            return None
        for metric in TARGET_METRICS.values():
            beside = beside_baseline(self.run, phase, ALL, metric.name)
            if metric.unit is asked.unit and beside is not None and beside.earlier:
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
    return 0
