"""Several inconclusive nights in a row: what they show together decides where none of them could alone.

The window takes in inconclusive runs, so a change that each night leaves undecided would in time be what later runs
are compared with. Two rules prevent that. Nights in a row are pooled and compared with the runs before them. And a run
passes beside undecided ones only if the nights together are within the limit, too. Where a whole window is undecided,
the machine cannot tell, and a warning says so.
"""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.comparability import Beside, beside_baseline
from harness.analysis.pooled import MOST_NIGHTS, pooled_against
from harness.gates.requirement import Finding, Requirement, limit_of, side_of
from harness.messages import Message, message
from harness.metrics.formatting import Estimate, Limit
from harness.metrics.statistics import Exact
from harness.record.measurement import Baseline, Interval, PhaseMeasurement, UndecidedGate
from harness.record.summary import Summary
from harness.recording.recording import Recording

_FEWEST_BEFORE = 3
"""At least so many runs are what pooled nights are compared with; while there are no clear ones, the first."""

_SHORTEST_ROW = 5
"""So many inconclusive runs in a row are no accident, however small the window."""


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
    beside = beside_baseline(recording, phase, endpoint, requirement.metric, clean=False)
    assert recording.baseline is not None
    assert beside is not None
    undecided, before = _rows(recording.baseline, beside, gate)
    if not undecided:
        return finding
    nights = [beside.observed, *undecided][:MOST_NIGHTS]
    baseline, pooled = pooled_against(nights, before, requirement.measures, beside.noise)
    limit = limit_of(requirement, baseline)
    unit = requirement.measures.unit.name
    figures = {
        "metric": requirement.metric,
        "nights": len(nights),
        "observed": Estimate(pooled, unit),
        "limit": Limit(limit, unit, baseline, beside.slower),
    }
    if finding.status == "inconclusive" and side_of(requirement, pooled, limit) == "fail":
        beyond = message("gate-nights-beyond-limit", **figures)
        return Finding("fail", beyond, pooled, limit, baseline, slower=beside.slower)
    if finding.status == "pass" and not requirement.holds(pooled.value, limit):
        return replace(finding, status="inconclusive", reason=message("gate-nights-undecided", **figures), limit=limit)
    return finding


def row_of_inconclusive(summary: Summary, baseline: Baseline | None) -> list[Message]:
    """A warning where so many runs in a row were inconclusive that the window has no other: nobody would notice."""
    if baseline is None or baseline.window is None or summary.verdict != "inconclusive":
        return []
    row = 1 + len(baseline.undecided)
    return [message("inconclusive-for-long", runs=row)] if row >= max(baseline.window, _SHORTEST_ROW) else []


def _rows(baseline: Baseline, beside: Beside, gate: UndecidedGate) -> tuple[list[Interval], list[Interval]]:
    """The figures of the latest runs of the baseline that left this gate undecided, and of the runs before them."""
    undecided = [gate in baseline.undecided.get(run_id, ()) for run_id, _ in beside.earlier]
    row = undecided.index(False) if False in undecided else len(undecided)
    row = max(0, min(row, len(undecided) - _FEWEST_BEFORE))
    return beside.figures[:row], beside.figures[row:]
