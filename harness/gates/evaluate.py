"""One gate: what it observed, its limit, and whether it held for sure, broke for sure, or cannot be told.

A gate holds when the whole 95 % interval lies on the good side of the limit and breaks when all of it lies on the
bad side. In between the run was too short or too noisy, and says so instead of deciding by luck.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.comparability import comparable, why_not_comparable
from harness.analysis.compare import against
from harness.analysis.intervals import interval_of, requests_to_bound, requests_to_show
from harness.analysis.samples import Sample, samples_of
from harness.gates.limits import limit_of, side_of
from harness.gates.live import failed_beyond_recovery
from harness.metrics import formatting
from harness.metrics.comparators import is_upper
from harness.metrics.statistics import Exact, Maximum, Proportion, Quantile
from harness.plan.model import Gate
from harness.plan.requirement import Comparison
from harness.record.measurement import ALL, Interval
from harness.record.summary import GateResult, GateStatus, PhaseSummary
from harness.recording.run import PhaseRecord, RunRecording


@dataclass(slots=True)
class _Finding:
    status: GateStatus
    reason: str
    observed: Interval | None = None
    limit: float | None = None
    baseline: float | None = None


class Evaluator:
    """Evaluates gates on one run; the samples of a phase are made once for all gates that read it."""

    def __init__(self, run: RunRecording, summaries: list[PhaseSummary]) -> None:
        self._run = run
        self._records = {record.plan.name: record for record in run.phases}
        self._summaries = {summary.name: summary for summary in summaries}
        self._samples: dict[str, dict[str, Sample]] = {}

    def results(self, gate: Gate) -> list[GateResult]:
        """What ``gate`` gives: one result for each phase that it reads."""
        phases = [gate.phase] if gate.phase else [phase.name for phase in self._run.plan.phases if phase.measured]
        return [self._result(gate, phase) for phase in phases]

    def _result(self, gate: Gate, phase: str) -> GateResult:
        finding = self._finding(gate, phase)
        seen = finding.observed
        return GateResult(
            require=gate.comparison.source,
            phase=phase,
            endpoint=gate.endpoint,
            status=finding.status,
            observed=seen.value if seen else None,
            unit=gate.comparison.measures.unit.name,
            limit=finding.limit,
            interval=(seen.low, seen.high) if seen and not _is_exact(gate.comparison) else None,
            baseline=finding.baseline,
            reason=finding.reason,
        )

    def _finding(self, gate: Gate, phase: str) -> _Finding:
        record = self._records.get(phase)
        if record is None:
            planned = [entry.name for entry in self._run.plan.phases]
            why = (
                "it never began"
                if phase in planned
                else f"the plan has none of that name: {formatting.among(phase, planned)}"
            )
            return _Finding("inconclusive", f"nothing was seen of phase {phase!r}: {why}")
        samples = self._samples_of(record)
        sample = samples.get(gate.endpoint or ALL)
        seen = interval_of(sample, gate.comparison.measures) if sample else None
        if sample is None or seen is None:
            if gate.endpoint and sample is None:
                known = sorted(key for key in samples if key != ALL)
                return _Finding(
                    "inconclusive",
                    f"no request to {gate.endpoint!r} was seen in phase {phase!r}: "
                    f"{formatting.among(gate.endpoint, known)}",
                )
            return _Finding("inconclusive", f"no request was sent in phase {phase!r}")
        finding = self._compared(gate, record, sample, seen)
        if self._run.journal.end_reason == "gate failed" and finding.status != "fail":
            # The run was ended for this: what ended it must be what it is judged by.
            lost = failed_beyond_recovery(self._run.plan, self._run.journal, gate.model_copy(update={"phase": phase}))
            if lost:
                finding.status, finding.reason = "fail", lost
        return self._qualified(finding, self._summaries[phase])

    def _samples_of(self, record: PhaseRecord) -> dict[str, Sample]:
        name = record.plan.name
        if name not in self._samples:
            self._samples[name] = samples_of(record, self._run.journal)
        return self._samples[name]

    def _compared(self, gate: Gate, record: PhaseRecord, sample: Sample, seen: Interval) -> _Finding:
        comparison = gate.comparison
        baseline = None
        if comparison.baseline:
            references = self._references(gate, record)
            if isinstance(references, str):
                return _Finding("inconclusive", references, seen)
            baseline, seen = against(seen, references, comparison.measures)
        limit = limit_of(comparison, baseline)
        status = self._status(comparison, seen, limit)
        return _Finding(status, self._sentence(status, gate, sample, seen, limit, baseline), seen, limit, baseline)

    def _references(self, gate: Gate, record: PhaseRecord) -> list[Interval] | str:
        """The baseline's figures, or why there are none."""
        run = self._run
        if run.baseline is None:
            return run.no_baseline or (
                "no baseline: `harness baseline set <a run you trust>` keeps one for later runs of this scenario, "
                f"profile and machine (this run: `harness baseline set {run.folder.path}`)"
            )
        phase, endpoint, metric = record.plan.name, gate.endpoint or ALL, gate.comparison.metric
        figures = [kept.figure(phase, endpoint, metric) for kept in comparable(run, record)]
        found = [figure for figure in figures if figure is not None]
        if found:
            return found
        what = f"phase {phase!r}" + (f" and endpoint {gate.endpoint!r}" if gate.endpoint else "")
        unknown = f"the baseline knows nothing of {what}: set a newer run as baseline"
        return why_not_comparable(run, record) or unknown

    @staticmethod
    def _status(comparison: Comparison, seen: Interval, limit: float) -> GateStatus:
        if isinstance(comparison.measures.statistic, Proportion):
            if limit == 0 and comparison.comparator == "<=":
                # "None at all" is a rule for this run, not a guess at a rate.
                return "pass" if seen.value == 0 else "fail"
            if comparison.baseline and seen.value == 0 and is_upper(comparison.comparator):
                # No run can do better than none.
                return "pass"
        return side_of(comparison.comparator, seen, limit)

    def _sentence(
        self,
        status: GateStatus,
        gate: Gate,
        sample: Sample,
        seen: Interval,
        limit: float,
        baseline: float | None,
    ) -> str:
        metric = gate.comparison.measures
        unit = metric.unit.name
        said = f"{metric.name} was {formatting.observed(seen, unit)}"
        bound = formatting.bound(limit, baseline, unit)
        if status != "inconclusive":
            return f"{said}, {formatting.side(status, gate.comparison.comparator, seen.value, limit)} {bound}"
        few = _too_few(metric.statistic, sample, seen, limit)
        if few:
            return f"{said}; {sample.requests.sum():,.0f} requests are too few to hold against {bound} {few}"
        if baseline is not None:
            return f"{said}, too close to {bound} to tell from noise: run longer, or keep more baseline runs"
        return f"{said}, too close to {bound} to tell: run longer"

    @staticmethod
    def _qualified(finding: _Finding, summary: PhaseSummary) -> _Finding:
        """What the phase's own state does to a finding."""
        if summary.generator_limited:
            finding.status = "inconclusive"
            finding.reason = f"the load generator was the limit, not the target: {summary.generator_limited}"
        elif summary.cut_short and finding.status == "pass":
            finding.status = "inconclusive"
            finding.reason = f"the phase was cut short ({summary.cut_short}); until then {finding.reason}"
        return finding


def _is_exact(comparison: Comparison) -> bool:
    return isinstance(comparison.measures.statistic, Maximum | Exact)


def _too_few(statistic: object, sample: Sample, seen: Interval, limit: float) -> str | None:
    """How many requests it takes, where the run was inconclusive only for want of them."""
    if isinstance(statistic, Quantile) and seen.high is None:
        needed = requests_to_bound(statistic.q, sample.n)
    elif isinstance(statistic, Proportion) and seen.value == 0 and limit > 0:
        needed = requests_to_show(limit / 100, sample.n)
    else:
        return None
    if sample.requests.sum() >= needed:
        return None
    return f"(in {sample.n} s it takes {needed:,}): run longer or under more load"
