"""Judges several inconclusive nights in a row together, if none of them could decide alone.

The window includes inconclusive runs, so later runs would in time be compared with a change that no single night could
decide. Two rules prevent that. Nights in a row are pooled and compared with the runs before them. And a run after
inconclusive ones passes only if the nights together are within the limit, too. If a whole window is inconclusive, the
machine cannot show a change, and there is a warning.
"""

from __future__ import annotations

import math
from dataclasses import replace

from harness.analysis.nights import undecided_nights
from harness.gates.requirement import Finding, Requirement, limit_of, side_of
from harness.messages import Message, message
from harness.metrics.formatting import Estimate, Limit
from harness.metrics.statistics import Exact
from harness.record.gate_result import GateResult
from harness.record.measurement import Baseline, Interval, PhaseMeasurement, UndecidedGate
from harness.record.summary import Summary
from harness.recording.recording import Recording

_SHORTEST_ROW = 5
"""This many inconclusive runs in a row are no coincidence, however small the window that can hold them."""


def weighed_with_earlier_nights(
    finding: Finding,
    requirement: Requirement,
    recording: Recording,
    phase: PhaseMeasurement,
    endpoint: str,
    gate: UndecidedGate,
) -> Finding:
    """``finding`` of a gate that compares with the baseline, or what it is beside the undecided nights before."""
    if finding.status == "fail" or isinstance(requirement.measures.statistic, Exact):
        return finding
    nights = undecided_nights(recording, phase, endpoint, requirement.measures, gate)
    if nights is None:
        return finding
    baseline, pooled = nights.baseline, nights.figure
    limit = limit_of(requirement, baseline)
    unit = requirement.measures.unit.name
    figures = {
        "metric": requirement.metric,
        "nights": nights.count,
        "since": nights.earlier[-1].run_id,
        "observed": Estimate(pooled, unit),
        "limit": Limit(limit, unit, baseline, nights.slower),
    }
    if finding.status == "inconclusive" and side_of(requirement, pooled, limit) == "fail":
        beyond = message("gate-nights-beyond-limit", **figures)
        return replace(
            finding,
            status="fail",
            reason=beyond,
            observed=pooled,
            limit=limit,
            baseline=baseline,
            settle=None,
            slower=nights.slower,
            runs=nights.count,
        )
    if finding.status == "pass" and not requirement.holds(pooled.value, limit):
        return replace(finding, status="inconclusive", reason=message("gate-nights-undecided", **figures), limit=limit)
    if finding.settle is not None and finding.observed is not None and _width(pooled) < _width(finding.observed):
        return replace(finding, reason=message("gate-nights-open", reason=finding.reason, **figures))
    return finding


def _width(interval: Interval) -> float:
    """Of the interval, relative to the figure."""
    if interval.high is None or not interval.value:
        return math.inf
    return (interval.high - interval.low) / abs(interval.value)


def row_of_inconclusive(summary: Summary, baseline: Baseline | None) -> list[Message]:
    """A warning if the window has only inconclusive runs, because a change would go unnoticed."""
    if baseline is None or baseline.window is None or summary.verdict != "inconclusive":
        return []
    undecided = [gate for gate in summary.gates if gate.status == "inconclusive"]
    if undecided and all(map(_only_needs_nights, undecided)):
        return []
    row = 1 + len(baseline.undecided)
    longest = 1 + 2 * baseline.window  # this run, and all that the store adds to a window for a row
    long = min(max(baseline.window, _SHORTEST_ROW), longest)
    return [message("inconclusive-for-long", runs=row)] if row >= long else []


def _only_needs_nights(gate: GateResult) -> bool:
    """Whether it is a gate on steps in its first nights."""
    return gate.code == "gate-history-too-short" and gate.params["all"] < gate.params["needed"]
