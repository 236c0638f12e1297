"""The load of a recorded run: phases as they ran, and requests drawn from a seeded generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import cast

import numpy as np

from harness.messages import Message, message
from harness.plan.model.phase import Phase, Segment
from harness.record.journal_entries import Endpoint, EndReason, FailureSample, PhaseEndReason, PhaseSpan, WorkerSecond
from harness.record.run_events import Event, EventKind
from harness.recording.writer import SUCCEEDED, RecordedLoad, Requests
from tests.support.latencies import Floats, Latency

Events = Sequence[tuple[float, str, str | Message] | tuple[float, str, str | Message, int]]
"""When each was, its kind, what it said, and how often."""


@dataclass(frozen=True)
class Failing:
    """A share of an endpoint's requests that fail in one way (``endpoint`` None: of every endpoint's)."""

    share: float
    failure: str = "HTTP 500"
    endpoint: str | None = None
    phase: str | None = None
    code: str = ""
    from_s: float = 0.0
    to_s: float = float("inf")
    """Only requests that start between these seconds of the run."""


@dataclass(frozen=True)
class WorkerState:
    """How the load workers fared in a second; see :class:`harness.record.journal_entries.WorkerSecond`."""

    cpu: float = 0.4
    lag_ms: float = 2.0
    late: int = 0
    waiting: int = 0
    """Arrivals without a user: where there are some, it is the target that arrivals wait for, not the generator."""
    starved: float = 0.0
    throttled: float = 0.0
    stolen: float = 0.0
    held: int = 0
    """Requests that waited for a rate limit."""


@dataclass(frozen=True)
class RanPhase:
    """A phase as it ran; ``pieces`` are the segments that were reached, each with its start and end."""

    plan: Phase
    start_s: float
    end_s: float
    pieces: tuple[tuple[Segment, float, float], ...]
    reason: PhaseEndReason
    held: int | None

    def recorded(self, number: int, *, killed: bool) -> PhaseSpan:
        """As the journal has it."""
        segments = tuple(start for _, start, _ in self.pieces)
        if killed:
            return PhaseSpan(number, self.start_s, None, None, None, segments)
        held = self.held if self.reason != "cut short" else None
        return PhaseSpan(number, self.start_s, self.end_s, self.reason, held, segments)


def ran_phases(
    phases: Sequence[Phase], lead_in_s: float, held_steps: int | None, stop_at_s: float | None
) -> list[RanPhase]:
    spans: list[RanPhase] = []
    at = lead_in_s
    for phase in phases:
        if stop_at_s is not None and at >= stop_at_s:
            break
        segments = list(phase.segments)
        held: int | None = None
        reason: PhaseEndReason = "done"
        if phase.kind == "stress":
            count = len(segments) if held_steps is None else held_steps
            held = count - 1 if count else None
            if count < len(segments):
                segments, reason = segments[: count + 1], "limit broke"
        start, pieces = at, []
        for segment in segments:
            end = at + segment.duration_s
            if stop_at_s is not None and end > stop_at_s:
                if at < stop_at_s:
                    pieces.append((segment, at, stop_at_s))
                at, reason = stop_at_s, "cut short"
                break
            pieces.append((segment, at, end))
            at = end
        spans.append(RanPhase(phase, start, at, tuple(pieces), reason, held))
    return spans


@dataclass
class Draw:
    endpoints: list[str]
    shares: Floats
    latency: Latency
    start_delay: Latency | None
    requests_per_user_s: float
    failures: Sequence[Failing]
    rng: np.random.Generator

    def phase(self, number: int, span: RanPhase) -> Requests:
        segments, starts = [], []
        for index, (segment, start, end) in enumerate(span.pieces):
            factor = 1.0 if span.plan.model == "open" else self.requests_per_user_s
            levels = np.linspace(segment.start, segment.end, 101) * factor
            reached = (end - start) / segment.duration_s
            count = int(self.rng.poisson(float(np.mean(levels[: int(100 * reached) + 1])) * (end - start)))
            at = np.sort(self.rng.uniform(start, end, count))
            if segment.end > segment.start:
                # A ramp: the density of starts grows linearly (inverse of its distribution function).
                at = np.sort(start + (end - start) * np.sqrt(self.rng.uniform(0, 1, count)))
            segments.append(np.full(count, index, dtype=np.int64))
            starts.append(at)
        segment_of = np.concatenate(segments) if segments else np.zeros(0, dtype=np.int64)
        start_s = np.concatenate(starts) if starts else np.zeros(0)
        endpoint = self.rng.choice(len(self.shares), len(start_s), p=self.shares / self.shares.sum())
        if span.plan.turns:
            endpoint = endpoint + len(self.shares) * (np.array(span.plan.turns)[segment_of] % 2)
        service_ms, delay_ms = np.zeros(len(start_s)), np.zeros(len(start_s))
        failure = np.full(len(start_s), -1, dtype=np.int64)
        for which, name in enumerate(self.endpoints):
            mine = endpoint == which
            service_ms[mine] = self.latency(self.rng, start_s[mine], name)
            if self.start_delay is not None and span.plan.model == "open":
                delay_ms[mine] = self.start_delay(self.rng, start_s[mine], name)
            for kind, failing in enumerate(self.failures):
                if failing.endpoint in (None, name) and failing.phase in (None, span.plan.name):
                    mine_then = mine & (start_s >= failing.from_s) & (start_s < failing.to_s)
                    failure[mine_then & (failure < 0) & (self.rng.uniform(size=len(start_s)) < failing.share)] = kind
        service_us = np.maximum(1, np.rint(service_ms * 1000)).astype(np.int64)
        return Requests(
            phase=number,
            is_open=span.plan.model == "open",
            segment=segment_of,
            endpoint=endpoint,
            start_s=start_s,
            response_us=service_us + np.rint(delay_ms * 1000).astype(np.int64),
            service_us=service_us,
            bytes_received=np.full(len(start_s), 2_000),
            failure=failure,
        )

    def samples(self, requests: Requests) -> Iterator[FailureSample]:
        """The first failure of each kind and endpoint, every fifth second."""
        failed = np.flatnonzero((requests.failure != SUCCEEDED) & (requests.second % 5 == 0))
        keys = np.stack([requests.second[failed], requests.endpoint[failed], requests.failure[failed]], axis=1)
        _, first = np.unique(keys, axis=0, return_index=True)
        for at in failed[first].tolist():
            endpoint, failing = int(requests.endpoint[at]), self.failures[int(requests.failure[at])]
            url = f"http://127.0.0.1:8080{self.endpoints[endpoint].partition(' ')[2]}"
            yield FailureSample(
                endpoint,
                requests.phase,
                float(requests.start_s[at]),
                failing.failure,
                {"url": url, "status": "500"},
            )


def recorded_load(
    run_id: str,
    epoch_s: float,
    spans: Sequence[RanPhase],
    draw: Draw,
    state: Callable[[float], WorkerState],
    workers: int,
    events: Events,
    end_reason: EndReason | None,
    stop_at_s: float | None,
) -> RecordedLoad:
    requests = [draw.phase(number, span) for number, span in enumerate(spans)]
    last = max([int(np.ceil(spans[-1].end_s)) - 1, *(int(part.second.max()) for part in requests if len(part.start_s))])
    if end_reason is None and stop_at_s is not None:
        last = int(stop_at_s) - 1

    def fared(second: int, iterations: int) -> list[WorkerSecond]:
        now, users = asdict(state(float(second))), _users(second + 0.5, spans)
        return [
            WorkerSecond(worker=index + 1, users=share(users, index), iterations=share(iterations, index), **now)
            for index in range(workers)
        ]

    def share(whole: int, index: int) -> int:
        return whole // workers + (1 if index < whole % workers else 0)

    return RecordedLoad(
        run_id=run_id,
        epoch_s=epoch_s,
        endpoints=[_endpoint(key, is_duet=len(draw.endpoints) > len(draw.shares)) for key in draw.endpoints],
        spans=[
            span.recorded(number, killed=end_reason is None and span is spans[-1]) for number, span in enumerate(spans)
        ],
        requests=requests,
        workers=fared,
        seconds=last + 1,
        failures=[failing.failure for failing in draw.failures],
        codes=[failing.code for failing in draw.failures],
        samples=[sample for part in requests for sample in draw.samples(part)],
        events=[
            Event(
                at_s,
                cast(EventKind, kind),
                said if isinstance(said, Message) else message("event", text=said),
                sum(count),
            )
            for at_s, kind, said, *count in events
        ],
        waited=lambda second: state(float(second)).waiting > 0,
        end_s=max(last + 1.0, spans[-1].end_s),
        end_reason=end_reason,
    )


def _endpoint(key: str, *, is_duet: bool) -> Endpoint:
    method, _, name = key.removeprefix("B ").partition(" ")
    return Endpoint(method, name, ("b" if key.startswith("B ") else "a") if is_duet else "")


def _users(at_s: float, spans: Sequence[RanPhase]) -> int:
    for span in spans:
        for segment, start, end in span.pieces:
            if start <= at_s < end:
                level = segment.start + (segment.end - segment.start) * (at_s - start) / segment.duration_s
                return round(level if span.plan.model == "closed" else max(1.0, level / 20))
    return 0
