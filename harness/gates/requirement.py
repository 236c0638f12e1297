"""Whether an observed figure meets a requirement for certain, misses it for certain, or is too uncertain to tell.

A requirement holds when the whole 95 % interval lies on the good side of the limit and fails when all of it lies on the
bad side. In between the measurement was too short or too noisy, and the gate is *inconclusive* instead of decided by
luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.compare import against
from harness.messages import Message, message
from harness.metrics.benchmarks import Minimum
from harness.metrics.formatting import Estimate, Limit
from harness.metrics.statistics import Exact, Maximum, Proportion
from harness.plan.bench import BenchGate
from harness.plan.requirement import Comparison
from harness.record.measurement import Interval
from harness.record.summary import GateResult, GateStatus

Requirement = Comparison | BenchGate
Doubt = Callable[[Interval, float, dict[str, Any]], Message]
"""Says why a figure is too close to a limit to tell; called with the figure, the limit and the message's parameters."""


@dataclass(slots=True)
class Finding:
    """What a gate found."""

    status: GateStatus
    reason: Message
    observed: Interval | None = None
    limit: float | None = None
    baseline: float | None = None

    def result(self, requirement: Requirement, *, phase: str | None = None, endpoint: str | None = None) -> GateResult:
        """The finding as the summary has it."""
        observed = self.observed
        exact = isinstance(requirement.measures.statistic, Maximum | Minimum | Exact)
        has_interval = observed is not None and (not exact or observed.low != observed.high)
        return GateResult(
            require=requirement.source,
            phase=phase,
            endpoint=endpoint,
            status=self.status,
            observed=observed.value if observed else None,
            unit=requirement.measures.unit.name,
            limit=self.limit,
            interval=(observed.low, observed.high) if observed and has_interval else None,
            baseline=self.baseline,
        ).because(self.reason)


def judged(requirement: Requirement, observed: Interval, baselines: Sequence[Interval], doubt: Doubt) -> Finding:
    """Hold ``observed`` against the limit, which is computed from ``baselines`` where the requirement asks for it."""
    metric = requirement.measures
    baseline = None
    if requirement.baseline:
        baseline, observed = against(observed, baselines, metric)
    limit = limit_of(requirement, baseline)
    status = _status(requirement, observed, limit)
    figures = {
        "metric": metric.name,
        "observed": Estimate(observed, metric.unit.name),
        "limit": Limit(limit, metric.unit.name, baseline),
    }
    if status == "inconclusive":
        reason = doubt(observed, limit, figures)
    elif status == "pass":
        code = "gate-within-limit" if requirement.is_upper else "gate-reached-limit"
        reason = Message(code, figures)
    elif observed.value == limit:
        reason = message("gate-at-limit", **figures)
    elif requirement.is_upper:
        reason = message("gate-over-limit", **figures)
    else:
        reason = message("gate-under-limit", **figures)
    return Finding(status, reason, observed, limit, baseline)


def limit_of(requirement: Requirement, baseline: float | None) -> float:
    """The limit in the metric's unit; ``baseline`` is its figure where the comparison is with one.

    ``baseline + 1%`` is a hundredth of the baseline's figure more, but one percentage point more of an error rate: a
    share of a rate that is 0 would allow nothing.
    """
    if baseline is None:
        return requirement.value
    if requirement.percent:
        return baseline * (1 + requirement.value / 100)
    return baseline + requirement.value


def side_of(requirement: Requirement, observed: Interval, limit: float) -> GateStatus:
    """``pass``: all of the interval is on the good side of the limit; ``fail``: all of it is on the bad side."""
    low, high = observed.low, math.inf if observed.high is None else observed.high
    worst, best = (high, low) if requirement.is_upper else (low, high)
    if requirement.holds(worst, limit):
        return "pass"
    return "inconclusive" if requirement.holds(best, limit) else "fail"


def _status(requirement: Requirement, observed: Interval, limit: float) -> GateStatus:
    if isinstance(requirement.measures.statistic, Proportion):
        if limit == 0 and requirement.comparator == "<=":
            # "None at all" is a rule for this run, not an estimate of a rate.
            return "pass" if observed.value == 0 else "fail"
        if requirement.baseline and observed.value == 0 and requirement.is_upper:
            # No run can do better than none.
            return "pass"
    return side_of(requirement, observed, limit)
