"""What a run has shown so far, added up as the journal grows: for whoever watches, a screen or a log.

Each second is read once; kept are sums, and the last minute second by second: the cost does not grow with the run.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from harness.plan.model import Phase, RunPlan
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram, HistogramSum
from harness.record.journal import Endpoint, Journal, PhaseSpan, Second

KEPT_S = 60
"""How many seconds are kept one by one."""


def quantile_ms(histogram: Histogram, q: float) -> float | None:
    """A percentile in ms; None without requests."""
    return histogram.quantile_us(q) / 1000 if histogram.count else None


@dataclass(frozen=True, slots=True)
class Window:
    """What ended in a stretch of ``length_s`` seconds."""

    length_s: float
    requests: int
    failures: int
    response: Histogram

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.length_s if self.length_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class SecondStats:
    """One second: what ended in it by phase (that in which it was started), and how the load workers fared."""

    second: int
    users: int
    iterations: int
    waiting: int
    cpu_max: float
    """What the busiest worker used of its core, or would have used, had it been given it."""
    lag_ms_max: float
    requests: dict[int, int]
    failures: dict[int, int]
    response: dict[int, Histogram]
    p95_ms: float | None
    """Of all that ended in it."""

    @classmethod
    def of(cls, second: Second) -> SecondStats:
        requests: dict[int, int] = {}
        failures: dict[int, int] = {}
        parts: dict[int, list[Histogram]] = {}
        for series in second.endpoint_seconds:
            requests[series.phase] = requests.get(series.phase, 0) + series.requests
            failures[series.phase] = failures.get(series.phase, 0) + series.failures
            parts.setdefault(series.phase, []).append(series.response)
        response = {phase: Histogram.merged(histograms) for phase, histograms in parts.items()}
        return cls(
            second.second,
            second.users,
            sum(worker.iterations for worker in second.workers),
            sum(worker.waiting for worker in second.workers),
            max((worker.wanted for worker in second.workers), default=0.0),
            max((worker.lag_ms for worker in second.workers), default=0.0),
            requests,
            failures,
            response,
            quantile_ms(Histogram.merged(list(response.values())), 0.95),
        )

    @property
    def all_requests(self) -> int:
        return sum(self.requests.values())


@dataclass(slots=True)
class Total:
    """All that was started in one phase (on one endpoint, or all together) so far."""

    requests: int = 0
    failures: int = 0
    _response: HistogramSum = field(default_factory=HistogramSum)
    _service: HistogramSum | None = None

    def add(self, series: EndpointSecond) -> None:
        self.requests += series.requests
        self.failures += series.failures
        self._response.add(series.response)
        if series.service is not series.response:
            self._service = self._service or HistogramSum()
            self._service.add(series.service)

    @property
    def response(self) -> Histogram:
        return self._response.whole()

    @property
    def service(self) -> Histogram:
        """The same as ``response`` in the closed model."""
        return (self._service or self._response).whole()


class RunTotals:
    """Follows a journal; :meth:`update` takes in what it has gained since the last call."""

    def __init__(self, plan: RunPlan) -> None:
        self.plan = plan
        self.epoch_s = 0.0
        """When the run began; 0 before."""
        self.now_s = 0.0
        """The end of what was recorded, in seconds from the start."""
        self.spans: dict[int, PhaseSpan] = {}
        self.totals: dict[int, Total] = {}
        self.endpoints: dict[Endpoint, Total] = {}
        """Of the phase that runs, or ran last."""
        self.moments: dict[int, SecondStats] = {}
        """The last :data:`KEPT_S` seconds that were recorded, in order."""
        self.failures: Counter[tuple[Endpoint, str]] = Counter()
        """Of the whole run, by endpoint and kind."""
        self.ended = False
        self._taken: dict[int, tuple[int, int]] = {}
        """How many series and workers of each second have been taken in: late ones make a second grow."""
        self._seen = 0
        self._failures_seen = 0
        self._endpoints_of: int | None = None

    @property
    def current(self) -> PhaseSpan | None:
        """The phase that runs, or ran last; None before the first."""
        return next(reversed(self.spans.values()), None)

    def phase(self, span: PhaseSpan) -> Phase:
        return self.plan.phases[span.phase]

    def update(self, journal: Journal) -> bool:
        """Take in what is new; whether any second was."""
        self.epoch_s = journal.epoch_s
        self.spans = {span.phase: span for span in journal.phases}
        self.now_s = journal.last_s
        self.ended = journal.end_s is not None
        for count in journal.failures[self._failures_seen :]:
            self.failures[journal.endpoints[count.endpoint], count.failure] += count.count
        self._failures_seen = len(journal.failures)
        grown = False
        for second in journal.seconds[max(0, self._seen - KEPT_S) :]:
            grown = self._take(second, journal) or grown
        self._seen = len(journal.seconds)
        return grown

    def _take(self, second: Second, journal: Journal) -> bool:
        taken = self._taken.get(second.second)
        size = (len(second.table), len(second.workers))
        if taken == size:
            return False
        self._taken[second.second] = size
        for series in second.endpoint_seconds[taken[0] if taken else 0 :]:
            self._add(series, journal.endpoints[series.endpoint])
        self.moments[second.second] = SecondStats.of(second)
        if taken is None:
            self.moments = dict(sorted(self.moments.items())[-KEPT_S:])
        return True

    def _add(self, series: EndpointSecond, endpoint: Endpoint) -> None:
        self.totals.setdefault(series.phase, Total()).add(series)
        if self._endpoints_of is None or series.phase > self._endpoints_of:
            self._endpoints_of, self.endpoints = series.phase, {}
        if series.phase == self._endpoints_of:
            self.endpoints.setdefault(endpoint, Total()).add(series)

    def last(self, seconds: float, *, phase: PhaseSpan | None = None) -> Window:
        """The last ``seconds`` that were recorded: of all requests, or of those that one phase started, in its time."""
        end_s = max(self.moments, default=-1) + 1.0
        start_s = max(0.0, end_s - seconds)
        if phase is not None:
            end_s = min(end_s, phase.end_s if phase.end_s is not None else end_s)
            start_s = max(phase.start_s, math.ceil(end_s) - seconds)
        shown = [
            (moment, number)
            for moment in self.moments.values()
            if start_s - 1 < moment.second < end_s
            for number in moment.requests
            if phase is None or number == phase.phase
        ]
        return Window(
            max(0.0, end_s - start_s),
            sum(moment.requests[number] for moment, number in shown),
            sum(moment.failures[number] for moment, number in shown),
            Histogram.merged([moment.response[number] for moment, number in shown]),
        )

    def latest(self) -> SecondStats | None:
        """The last second that was recorded."""
        return next(reversed(self.moments.values()), None)

    def recent(self, seconds: int) -> list[SecondStats]:
        """The last ``seconds`` that were recorded, oldest first; fewer at a run's start."""
        return list(self.moments.values())[-seconds:]


def goal_at(plan: Phase, span: PhaseSpan, at_s: float) -> float | None:
    """What the load is to be, or is on its way to, at a moment of the run: users, or arrivals per second.

    None for a shape, whose goal only Locust knows.
    """
    begun = max(1, sum(begin_s <= at_s for begin_s in span.segments))
    return plan.segments[begun - 1].end if plan.segments else None


def arrivals(moments: list[SecondStats]) -> float:
    """Iterations begun a second, over ``moments``."""
    return sum(moment.iterations for moment in moments) / len(moments) if moments else 0.0
