"""What has to be explained: each kind of figure that failed a gate, or got worse, in one phase and endpoint.

P50, P95 and mean of one endpoint have the same causes, so they are one question: that of the gate that failed, else of
the change that is clearest. A change of one endpoint is a question of its own only where all endpoints together have
none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from harness.analysis.comparability import comparable
from harness.analysis.measurement import measure
from harness.explain.arithmetic import less, mean_of, share_of, times
from harness.messages import Message
from harness.metrics import RUN_METRICS, run_metric
from harness.metrics.series import PATTERN, SeriesFigure
from harness.plan.duet import A, B
from harness.record.explanation import Cause, CauseKind, Place
from harness.record.measurement import ALL, ONLY, Interval, PhaseMeasurement
from harness.record.notice import Notice
from harness.record.summary import Change, GateResult, PhaseSummary, Summary
from harness.recording.run import PhaseRecord, RunRecording

Family = Literal["time", "errors", "cpu", "memory", "capacity", "invariant", "database", "run", "other"]
"""Figures of one family have the same causes. ``run``: the run itself was broken."""
_TAINTED = {"gate-contaminated", "gate-generator-limited", "gate-generator-late"}
"""Why gates are inconclusive that have a cause: others, or the generator."""
_FAMILIES: dict[str, Family] = {
    "error_rate": "errors",
    "cpu_per_request": "cpu",
    "queries_per_request": "database",
    "db_time": "database",
    "rss_max": "memory",
    "rss_growth": "memory",
}


@dataclass(frozen=True)
class Question:
    """One figure that got worse, with what was recorded of its phase."""

    run: RunRecording
    summary: Summary
    family: Family
    metric: str
    phase: str | None = None
    endpoint: str | None = None
    gates: tuple[GateResult, ...] = ()
    change: Change | None = None

    @cached_property
    def record(self) -> PhaseRecord | None:
        """Its phase as recorded; of a duet, build B's."""
        found = (record for record in self.run.phases if record.plan.name == self.phase and record.variant in (ONLY, B))
        return next(found, None)

    @cached_property
    def phase_summary(self) -> PhaseSummary | None:
        found = (phase for phase in self.summary.phases if phase.name == self.phase and phase.variant in (ONLY, B))
        return next(found, None)

    @cached_property
    def measured(self) -> PhaseMeasurement | None:
        return measure(self.run).phase(self.record.plan.name, self.record.variant) if self.record else None

    @cached_property
    def earlier(self) -> list[PhaseMeasurement]:
        """The same phase in the runs that it is compared with; in a duet, that of build A."""
        if self.measured is None:
            return []
        is_duet = self.run.plan.is_duet
        others = [measure(self.run)] if is_duet else comparable(self.run, self.measured)
        found = (other.phase(self.measured.name, A if is_duet else self.measured.variant) for other in others)
        return [phase for phase in found if phase is not None]

    @cached_property
    def observed(self) -> float | None:
        return self.change.observed if self.change else next((gate.observed for gate in self.gates), None)

    @cached_property
    def rise(self) -> Interval | None:
        """By how much it is worse than the baseline, in the metric's unit; None without one, or if it may be none."""
        change = self.change
        if change is None or change.change is None or change.interval is None:
            return None
        scale = 100.0 if run_metric(self.metric).unit.is_share else change.baseline
        low, high = change.interval
        found = Interval(
            value=change.observed - change.baseline, low=low * scale, high=None if high is None else high * scale
        )
        if run_metric(self.metric).better == "higher":
            below = -found.value if found.high is None else -found.high
            found = Interval(value=-found.value, low=below, high=-found.low)
        return found if found.low > 0 else None

    @cached_property
    def is_compared(self) -> bool:
        """Whether causes explain a rise over the baseline, instead of the whole figure."""
        return self.rise is not None and bool(self.earlier)

    @cached_property
    def mean_ms(self) -> Interval | None:
        """By how much the mean response time of all requests rose; without a baseline, how long it was."""
        figures = self.measured and self.measured.endpoints[ALL].figures
        now = figures.get("mean") if figures else None
        if now is None or not self.is_compared:
            return now
        before = [found for phase in self.earlier if (found := phase.endpoints[ALL].figures.get("mean")) is not None]
        return less(now, mean_of(before)) if before else None

    @cached_property
    def whole(self) -> Interval | None:
        """What causes have a part of, in the metric's unit."""
        if self.is_compared:
            return self.rise
        return None if self.observed is None else Interval(value=self.observed, low=self.observed, high=self.observed)

    def cause(
        self,
        kind: CauseKind,
        what: Message,
        *,
        ms: Interval | None = None,
        share: Interval | None = None,
        place: Place | None = None,
        sure: bool = True,
        evidence: Sequence[Message] = (),
    ) -> Cause:
        """A cause that takes (or, beside a baseline, takes more by) ``ms`` a request of any endpoint.

        Nobody knows how it is spread over endpoints and percentiles, so its share of each rise is taken to be its share
        of the rise of the mean over all requests.
        """
        if share is None and ms is not None:
            share = self._share_of_time(ms)
        part = times(share, self.whole.value) if share is not None and self.whole is not None else None
        return Cause(
            kind=kind,
            place=place,
            per_request_ms=ms,
            share=share,
            part=part,
            sure=sure,
            what=Notice.of(what),
            evidence=[*map(Notice.of, evidence)],
        )

    def _share_of_time(self, ms: Interval) -> Interval | None:
        whole = {"cpu": self.whole, "time": self.mean_ms}.get(self.family)
        return None if whole is None else share_of(ms, whole)


def questions_of(run: RunRecording, summary: Summary) -> list[Question]:
    """In the order of the gates, then leaks, then changes."""
    asked = list(_of_run(run, summary))
    places = set()
    for question in [*_of_gates(run, summary), *_of_leaks(run, summary), *_of_changes(run, summary)]:
        place = (question.phase, question.family, question.endpoint)
        covered = not question.gates and (question.phase, question.family, None) in places
        if place in places or covered:
            continue
        places.add(place)
        asked.append(question)
    return asked


def _of_run(run: RunRecording, summary: Summary) -> Iterator[Question]:
    if summary.verdict == "broken":
        yield Question(run, summary, "run", "run")


def _of_gates(run: RunRecording, summary: Summary) -> Iterator[Question]:
    failed = [gate for gate in summary.gates if gate.status == "fail" or gate.code in _TAINTED]
    groups: dict[tuple[str | None, Family, str | None], list[tuple[str, GateResult]]] = {}
    for gate in failed:
        metric = metric_of(gate)
        groups.setdefault((gate.phase, family_of(metric), gate.endpoint), []).append((metric, gate))
    for (phase, family, endpoint), gates in groups.items():
        metric = gates[0][0]
        change = _change(summary, phase, endpoint, metric)
        results = tuple(gate for _, gate in gates)
        yield Question(run, summary, family, metric, phase, endpoint, results, change)


def _of_leaks(run: RunRecording, summary: Summary) -> Iterator[Question]:
    for leak in summary.leaks:
        if leak.variant in (ONLY, B):
            yield Question(run, summary, "memory", "rss_growth", leak.phase)


def _of_changes(run: RunRecording, summary: Summary) -> Iterator[Question]:
    worse = [change for change in summary.changes if change.meaning == "worse" and change.metric in RUN_METRICS]
    worse.sort(key=lambda change: (change.endpoint is not None, -_clearness(change)))
    for change in worse:
        yield Question(run, summary, family_of(change.metric), change.metric, change.phase, change.endpoint, (), change)


def _clearness(change: Change) -> float:
    """By how much it is worse at the least, relatively."""
    low, high = change.interval or (0.0, None)
    return low if run_metric(change.metric).better == "lower" else -(high or 0.0)


def _change(summary: Summary, phase: str | None, endpoint: str | None, metric: str) -> Change | None:
    found = (
        change
        for change in summary.changes
        if (change.phase, change.endpoint, change.metric) == (phase, endpoint, metric)
    )
    return next(found, None)


def metric_of(gate: GateResult) -> str:
    """The metric that a gate is on: the first word of what it requires, or the figure of a series."""
    figure = re.match(PATTERN, gate.require)
    if figure:
        return str(SeriesFigure.parse(figure[0]))
    found = re.match(r"[\w.]+", gate.require)
    return found[0] if found else gate.require


def family_of(metric: str) -> Family:
    if metric == "verify":
        return "invariant"
    known = RUN_METRICS.get(metric)
    if known is not None and known.needs == "steps":
        return "capacity"
    return _FAMILIES.get(metric, "time" if known else "other")
