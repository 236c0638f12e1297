"""What has to be explained: each kind of figure that failed a gate or got worse, in one place.

P50, P95 and mean of one endpoint have the same causes, so they are one question: that of the gate that failed, else of
the change that is clearest. A change of one endpoint is a question of its own only where all endpoints together have
none. Where several runs together show the rise, the question is about all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.analysis.attribution import Attribution, attribution_of_nights
from harness.analysis.comparability import comparable
from harness.analysis.measurement import measure
from harness.analysis.nights import Nights, nights_since, undecided_nights
from harness.explain.arithmetic import less, share_of, sum_of, times
from harness.explain.families import Family, family_of, metric_of
from harness.explain.mean_time import mean_rise
from harness.messages import Message
from harness.metrics import RUN_METRICS, run_metric
from harness.plan.duet import A, B
from harness.record.changes import Change
from harness.record.explanation import Cause, CauseKind, Place
from harness.record.gate_result import GateResult
from harness.record.measurement import ALL, ONLY, Interval, PhaseMeasurement, UndecidedGate
from harness.record.notice import Notice
from harness.record.phase_summary import PhaseSummary
from harness.record.summary import Summary
from harness.recording.run import PhaseRecord, RunRecording

_BLOCKED = "gate-blocked"
_FOR_OTHERS = {"gate-contaminated", "gate-step-contaminated", "both-contaminated"}
_TAINTED = {*_FOR_OTHERS, "gate-generator-limited", "gate-generator-late", _BLOCKED}
"""Why gates are inconclusive that have a cause: others, the generator, or a target that did not respond at all."""
_STEP = "gate-step"
_OPEN = "gate-nights-open"
"""Undecided, though nights together may show a rise for certain."""
_UNDECIDED_NIGHTS = {"gate-nights-beyond-limit", _OPEN}


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
    fault: str | None = None
    """The fault that its gates name: it is about the seconds under it, or the recovery from it."""

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
        if self.nights is not None:
            others = self.nights.before
        else:
            others = [measure(self.run)] if is_duet else comparable(self.run, self.measured)
        found = (other.phase(self.measured.name, A if is_duet else self.measured.variant) for other in others)
        return [phase for phase in found if phase is not None]

    @cached_property
    def nights(self) -> Nights | None:
        """The runs that its first gate judged together with this one; None if it judged this one alone."""
        gate, phase = next(iter(self.gates), None), self.measured
        if gate is None or phase is None or self.fault is not None:
            return None
        endpoint = gate.endpoint or ALL
        if gate.code in _UNDECIDED_NIGHTS:
            asked = UndecidedGate(require=gate.require, phase=gate.phase, endpoint=gate.endpoint)
            return undecided_nights(self.run, phase, endpoint, run_metric(self.metric), asked)
        if gate.code == _STEP and self.run.past_runs is not None:
            place = (phase.name, endpoint, self.metric, self.run.run_id)
            for series in self.run.past_runs.series:
                if (series.phase, series.endpoint, series.metric, series.run_ids[-1]) == place:
                    return nights_since(self.run, phase, series, gate.params["runs"][1])
        return None

    @cached_property
    def attribution(self) -> Attribution:
        """The functions whose CPU time grew, in this run or in all of its nights together."""
        if self.nights is None or self.record is None:
            return Attribution(self.summary.suspects, self.summary.candidates)
        return attribution_of_nights(self.run, self.record, self.nights)

    @property
    def undecided_for_others(self) -> bool:
        """Whether a gate cannot tell because others took the cores."""
        return any(gate.code in _FOR_OTHERS for gate in self.gates)

    @cached_property
    def observed(self) -> float | None:
        if self.nights is not None:
            return self.nights.figure.value
        return self.change.observed if self.change else next((gate.observed for gate in self.gates), None)

    @cached_property
    def rise(self) -> Interval | None:
        """By how much it is worse than the baseline, in the metric's unit; None without one, or if it may be none."""
        change = self.change
        if self.nights is not None:
            found = less(self.nights.figure, Interval.exactly(self.nights.baseline))
        elif change is None or change.change is None or change.interval is None:
            return None
        else:
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
    def response_ms(self) -> Interval | None:
        """How long all requests took on average.

        Of requests that were not responded to, how long threads of the target had them.
        """
        if self.blocked_requests:
            return self._held_ms
        figures = self.measured and self.measured.endpoints[ALL].figures
        return figures.get("mean") if figures else None

    @cached_property
    def mean_ms(self) -> Interval | None:
        """By how much :attr:`response_ms` rose; without a baseline, the whole of it."""
        if self.blocked_requests or not self.is_compared or self.record is None or self.measured is None:
            return self.response_ms
        return mean_rise(self.record.plan, self.measured, self.earlier)

    @property
    def blocked_requests(self) -> int:
        """How many earlier requests waited throughout a phase in which no request began; 0 if one began."""
        return next((int(str(gate.params["count"])) for gate in self.gates if gate.code == _BLOCKED), 0)

    @cached_property
    def blocked_cpu_ms(self) -> Interval:
        """The CPU time that the target used meanwhile, per blocked request."""
        used = self.measured.resources.get("target", {}).get("cpu_percent") if self.measured else None
        if used is None or self.record is None:
            return Interval.exactly(0.0)
        return Interval.exactly(1000 * used.mean / 100 * self.record.length_s / self.blocked_requests)

    @cached_property
    def _held_ms(self) -> Interval:
        """How long threads of the target had a blocked request. Those that none has taken up wait for these."""
        waits = (self.measured and self.measured.waits) or []
        return sum_of([*(wait.ms for wait in waits), self.blocked_cpu_ms])

    @cached_property
    def whole(self) -> Interval | None:
        """What causes have a part of, in the metric's unit."""
        if self.is_compared:
            return self.rise
        return None if self.observed is None else Interval.exactly(self.observed)

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
        calls = None if self.endpoint else self.whole  # nobody knows which endpoint makes them
        whole = {"cpu": self.whole, "downstream": calls, "time": self.mean_ms}.get(self.family)
        return None if whole is None else share_of(ms, whole)


def questions_of(run: RunRecording, summary: Summary) -> list[Question]:
    """In the order of the gates, then leaks, then changes."""
    asked = list(_of_run(run, summary))
    places = set()
    for question in [*_of_gates(run, summary), *_of_leaks(run, summary), *_of_changes(run, summary)]:
        place = (question.phase, question.family, question.endpoint, question.fault)
        covered = not question.gates and (question.phase, question.family, None, None) in places
        if place in places or covered:
            continue
        places.add(place)
        asked.append(question)
    return asked


def _of_run(run: RunRecording, summary: Summary) -> Iterator[Question]:
    if summary.verdict == "broken":
        yield Question(run, summary, "run", "run")


def _of_gates(run: RunRecording, summary: Summary) -> Iterator[Question]:
    died = summary.verdict == "broken" and any(end.root for end in summary.ends)
    tainted = () if died else _TAINTED  # what others or the generator did then does not matter
    failed = [gate for gate in summary.gates if gate.status == "fail" or gate.code in tainted]
    failed += [gate for gate in summary.gates if gate.code == _OPEN]
    groups: dict[tuple[str | None, Family, str | None, str | None], list[tuple[str, GateResult]]] = {}
    for gate in failed:
        metric = metric_of(gate)
        # Whatever they are on, gates on a phase without a request have one cause.
        place = ("time", None) if gate.code == _BLOCKED else (family_of(metric), gate.endpoint)
        groups.setdefault((gate.phase, *place, gate.fault), []).append((metric, gate))
    for (phase, family, endpoint, fault), gates in groups.items():
        metric = gates[0][0]
        change = _change(summary, phase, endpoint, metric) if fault is None else None
        results = tuple(gate for _, gate in gates)
        question = Question(run, summary, family, metric, phase, endpoint, results, change, fault)
        if results[0].code != _OPEN or question.rise is not None:
            yield question


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
