"""Whether a figure certainly meets a requirement, certainly misses it, or is too uncertain.

A requirement holds when the whole 95 % interval lies on the good side of the limit and fails when all of it lies on the
bad side. In between the measurement was too short or too noisy, and the gate is *inconclusive* instead of decided by
luck. A comparison with a baseline fails only if an interval of more confidence
(:data:`~harness.analysis.run_sets.SURE`) lies on the bad side, too: a scenario has several gates, and unchanged builds
must seldom fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.baseline_difference import against
from harness.analysis.run_sets import ENOUGH_RUNS, SURE
from harness.analysis.settling_gates import Settling, detectable, settling
from harness.messages import Message, message
from harness.metrics.benchmarks import Minimum
from harness.metrics.formatting import Estimate, Limit
from harness.metrics.series import SeriesFigure
from harness.metrics.statistics import Exact, Maximum, Proportion
from harness.metrics.target import PeakMemory
from harness.plan.bench import BenchGate
from harness.plan.requirement import Comparison
from harness.record.gate_result import GateResult, GateStatus, Settle
from harness.record.measurement import Interval

Requirement = Comparison | BenchGate


@dataclass(frozen=True, slots=True)
class Judgement:
    """A figure beside its limit; ``observed`` has the noise of both sides where the limit comes from a baseline."""

    status: GateStatus
    observed: Interval
    limit: float
    baseline: float | None = None
    few_runs: bool = False
    """Whether it would have failed, had the baseline had enough runs to show how runs differ."""
    surer: Interval | None = None
    """The interval that must lie beyond the limit for a failure, where that is not ``observed``."""


Doubt = Callable[[Judgement, Settling, dict[str, Any]], tuple[Message, Settle]]
"""Says why a figure is too close to a limit to tell, and what would; called with the message's parameters, too."""


Rule = Callable[[Requirement, Interval, Sequence[Interval]], Judgement]
"""Judges a requirement by the figure and the baseline's figures."""


@dataclass(slots=True)
class Finding:
    """What a gate found."""

    status: GateStatus
    reason: Message
    observed: Interval | None = None
    limit: float | None = None
    baseline: float | None = None
    settle: Settle | None = None
    slower: float | None = None
    """If it was judged at equal machine speed, by how much the machine was slower than in the baseline."""
    at_equal_speed: bool = False
    """Whether it was judged at equal machine speed, which others that take the cores do not change."""
    runs: int = 1
    """How many runs ``observed`` is the mean of."""
    seconds_left_out: int = 0
    """How many seconds of the phase ``observed`` leaves out because others took the cores."""

    def result(self, requirement: Requirement, *, phase: str | None = None, endpoint: str | None = None) -> GateResult:
        """The finding as the summary has it."""
        observed = self.observed
        exact = isinstance(requirement.measures.statistic, Maximum | Minimum | PeakMemory | Exact | SeriesFigure)
        has_interval = observed is not None and (not exact or observed.low != observed.high)
        known = self.limit is not None or requirement.baseline
        return GateResult(
            require=requirement.source,
            phase=phase,
            endpoint=endpoint,
            status=self.status,
            observed=observed.value if observed else None,
            unit=requirement.measures.unit.name,
            limit=self.limit if known else requirement.value,
            interval=(observed.low, observed.high) if observed and has_interval else None,
            baseline=self.baseline,
            machine_slower=self.slower,
            runs=self.runs,
            seconds_left_out=self.seconds_left_out if observed else 0,
            settle=self.settle,
        ).because(self.reason)


def judged(
    requirement: Requirement,
    observed: Interval,
    baselines: Sequence[Interval],
    doubt: Doubt,
    rule: Rule | None = None,
    slower: float | None = None,
) -> Finding:
    """Hold ``observed`` against the limit, which is computed from ``baselines`` where the requirement asks for it.

    ``rule`` is :func:`judge` if none is given. ``slower``: the figures are those at equal machine speed.
    A requirement that compares with a baseline fails only if it also fails with the noise between runs that is assumed
    while the baseline is too small to show it.
    """
    rule = rule or judge
    unit, found = requirement.measures.unit.name, rule(requirement, observed, baselines)
    figures: dict[str, Any] = {
        "metric": requirement.metric,
        "observed": Estimate(found.observed, unit),
        "limit": Limit(found.limit, unit, found.baseline, slower),
    }
    advice = None
    if found.status == "inconclusive":
        settle = settling(observed, baselines, lambda *given: rule(requirement, *given).status != "inconclusive")
        reason, advice = doubt(found, settle, figures)
    elif found.status == "pass":
        code = "gate-within-limit" if requirement.is_upper else "gate-reached-limit"
        reason = Message(code, figures)
    elif observed.value == found.limit:
        reason = message("gate-at-limit", **figures)
    elif requirement.is_upper:
        reason = message("gate-over-limit", **figures)
    else:
        reason = message("gate-under-limit", **figures)
    return Finding(
        found.status, reason, found.observed, found.limit, found.baseline, advice, slower, slower is not None
    )


def judge(
    requirement: Requirement, observed: Interval, baselines: Sequence[Interval], calibrated: float | None = None
) -> Judgement:
    """The status of a requirement; ``baselines`` has a figure of each run where it compares with a baseline."""
    if not requirement.baseline:
        limit = limit_of(requirement, None)
        return Judgement(_status(requirement, observed, limit), observed, limit)
    baseline, seen = against(observed, baselines, requirement.measures, calibrated=calibrated)
    limit = limit_of(requirement, baseline)
    status = _status(requirement, seen, limit)
    if status == "pass":
        return Judgement(status, seen, limit, baseline)
    enough = len(baselines) >= ENOUGH_RUNS
    confidence = SURE if enough else 0.95
    _, surer = against(
        observed, baselines, requirement.measures, doubtful=True, confidence=confidence, calibrated=calibrated
    )
    if status == "fail" and _status(requirement, surer, limit) != "fail":
        if not enough:
            return Judgement("inconclusive", surer, limit, baseline, few_runs=True)
        status = "inconclusive"
    return Judgement(status, seen, limit, baseline, surer=surer)


def judge_beside(baseline: float, widening: float) -> Rule:
    """Judges figures that hold the noise of both sides of a comparison with ``baseline`` already.

    A requirement fails only if it also fails with an interval so many times as wide.
    """

    def rule(requirement: Requirement, observed: Interval, _: Sequence[Interval]) -> Judgement:
        limit = limit_of(requirement, baseline)
        status, surer = _status(requirement, observed, limit), _widened(observed, widening)
        if status == "fail" and _status(requirement, surer, limit) != "fail":
            status = "inconclusive"
        return Judgement(status, observed, limit, baseline, surer=surer)

    return rule


def _widened(interval: Interval, times: float) -> Interval:
    if math.isinf(times):
        return Interval(value=interval.value, low=-math.inf, high=None)
    high = None if interval.high is None else interval.value + times * (interval.high - interval.value)
    return Interval(value=interval.value, low=interval.value - times * (interval.value - interval.low), high=high)


def detectable_of(requirement: Requirement, found: Judgement) -> float | None:
    """The figure from which on the requirement would have failed; None where none would have."""
    return detectable(found.surer or found.observed, found.limit, upper=requirement.is_upper)


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
    sides: dict[bool | None, GateStatus] = {True: "pass", False: "fail", None: "inconclusive"}
    return sides[requirement.holds_all_over(observed.low, observed.high, limit)]


def _status(requirement: Requirement, observed: Interval, limit: float) -> GateStatus:
    if isinstance(requirement.measures.statistic, Proportion):
        best = 0 if requirement.is_upper else 100
        if requirement.baseline:
            # No run can do better than none, or all. Anything else has noise, even if the baseline was that good.
            return "pass" if observed.value == best else side_of(requirement, observed, limit)
        if limit == best and requirement.comparator in ("<=", ">="):
            # "None at all", or all, is a rule for this run, not an estimate of a rate.
            return "pass" if observed.value == best else "fail"
    return side_of(requirement, observed, limit)
