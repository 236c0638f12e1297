"""One figure of two builds: how it changed, what that means for a margin, and what would settle it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from harness.analysis.baseline_difference import relative
from harness.analysis.build_difference import sets_against
from harness.analysis.equal_speed import EqualSpeed
from harness.analysis.equivalence import chances, outcome_of, scaled
from harness.analysis.intervals import Bounds, degrees_of
from harness.analysis.settling_comparisons import Evidence, settling
from harness.messages import Message, message
from harness.metrics.formatting import Amount, Estimate, Signed, title
from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.record.comparison import ComparedFigure, Outcome
from harness.record.measurement import EndpointMeasurement, Interval
from harness.record.notice import Notice


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of both builds before it is judged beside all others. ``change`` is that of B against A."""

    phase: str
    endpoint: str
    metric: Metric[Any]
    baseline: float
    observed: float
    change: float
    interval: Bounds
    degrees: float
    is_linear: bool
    """Whether the interval is symmetric as a difference, not as a ratio."""
    evidence: Evidence
    slower: float | None
    """At equal speed: by how much the machine was slower with B."""
    from_zero: Interval | None = None
    """Where A's figure is 0, to which nothing is relative: B's. ``change`` and ``interval`` are then relative to it."""

    @classmethod
    def of(
        cls,
        phase: str,
        endpoint: str,
        metric: Metric[Any],
        a: Sequence[EndpointMeasurement],
        b: Sequence[EndpointMeasurement],
        calibrated: float | None = None,
        equal: EqualSpeed | None = None,
    ) -> Self | None:
        """The figure of those runs that have it; None if one build has it in no run, or both are 0.

        ``equal``: what is compared in place of what ``a`` and ``b`` measured.
        """
        of_a, of_b = ([one for one in side if metric.name in one.figures] for side in (a, b))
        if not of_a or not of_b:
            return None
        if equal is None:
            before, after = ([one.figures[metric.name] for one in side] for side in (of_a, of_b))
        else:
            before, after = ([figure for figure in side if figure] for side in (equal.others, equal.figures))
        seconds = min(one.seconds for one in (*of_a, *of_b))
        found = sets_against(after, before, metric, degrees_of(max(seconds, 2)), calibrated)
        change, interval = relative(found.seen, found.baseline, metric)
        from_zero = found.seen if change is None and found.baseline == 0 and found.seen.value > 0 else None
        if from_zero is not None:
            high = None if from_zero.high is None else from_zero.high / from_zero.value
            change, interval = 1.0, (from_zero.low / from_zero.value, high)
        if change is None or interval is None:
            return None
        return cls(
            phase,
            endpoint,
            metric,
            found.baseline,
            found.seen.value,
            change,
            interval,
            found.degrees,
            found.is_linear,
            Evidence(len(before), len(after), seconds, found.unseen),
            None if equal is None else equal.slower,
            from_zero,
        )

    @property
    def chances(self) -> tuple[float, float]:
        """The p-values of "it is not worse" and "it is not better"."""
        grew, shrank = chances(self.change, self.interval, self.degrees, relative=not self.is_linear)
        return (grew, shrank) if self.metric.better == "lower" else (shrank, grew)

    def judged(
        self, margin: float, shown: str | None, *, decides: bool, is_worse: bool, is_better: bool, count: int
    ) -> ComparedFigure:
        """What it means for ``margin``. ``is_worse``: it is worse even after correction for all ``count`` figures."""
        outcome = outcome_of(self._worsening, margin, is_worse=is_worse, is_better=is_better)
        settle = self._settling(margin) if outcome == "inconclusive" else None
        return ComparedFigure(
            phase=self.phase,
            endpoint=shown,
            metric=self.metric.name,
            unit=self.metric.unit.name,
            baseline=self.baseline,
            observed=self.observed,
            change=None if self.from_zero else self.change,
            better=self.metric.better,
            interval=None if self.from_zero or isinstance(self.metric.statistic, Exact) else self.interval,
            machine_slower=self.slower,
            margin=margin,
            outcome=outcome,
            decides=decides,
            finding=Notice.of(self._finding(outcome, margin, count)),
            settle=settle and Notice.of(settle),
        )

    @property
    def _worsening(self) -> Bounds:
        """The interval of the change, turned so that more is worse."""
        low, high = self.interval
        return (low, high) if self.metric.better == "lower" else (-math.inf if high is None else -high, -low)

    def _amount(self, change: float) -> Amount:
        return Amount(100 * change, "pp" if self.metric.unit.is_share else "%")

    def _signed(self, change: float | None) -> Signed | str:
        return "?" if change is None else Signed(100 * change, self._amount(change).unit)

    def _finding(self, outcome: Outcome, margin: float, count: int) -> Message:
        low, high = self.interval
        figures = {
            "metric": title(self.metric.name),
            "change": self._signed(self.change),
            "low": self._signed(low),
            "high": self._signed(high),
        }
        best, worst = self._worsening
        if self.from_zero is not None:
            grown = Estimate(self.from_zero, self.metric.unit.name)
            return message("compare-from-zero", metric=figures["metric"], observed=grown)
        if outcome in ("worse", "better"):
            return Message("compare-changed-exactly" if low == high else "compare-changed", figures)
        if outcome == "not worse":
            assert worst is not None
            if best < -margin:
                return message("compare-no-worsening", metric=figures["metric"], most=self._amount(max(worst, 0.0)))
            return message("compare-no-difference", metric=figures["metric"], most=self._amount(max(worst, -best)))
        if best > 0:
            return message("compare-by-chance", **figures, count=count)
        return message("compare-uncertain", **figures, margin=self._amount(margin))

    def _settling(self, margin: float) -> Message:
        best, worst = self._worsening
        if best > 0:
            return message("compare-settle-repeat")
        sign = 1 if self.metric.better == "lower" else -1
        ends = (self.change, *self.interval, sign * margin)
        at, low, high, limit = (sign * scaled(end, relative=not self.is_linear) for end in ends)
        found = settling(
            at,
            min(low, high),
            max(low, high),
            limit,
            self.evidence,
            by_time=self.metric.needs in ("requests", "target", "traces"),
        )
        return found or message("compare-settle-margin", margin=self._amount(math.inf if worst is None else worst))
