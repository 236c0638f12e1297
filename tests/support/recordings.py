"""Run folders as a run would leave them, made in milliseconds: written with the real writers, from a seeded generator.

Whatever reads run folders (analysis, gates, store, report) is tested on these: the files are the real formats, only
the requests are drawn instead of sent. The same arguments give the same bytes.

    folder = record_run(tmp_path, phases=[ramp(), steady(users=50, seconds=30)], gates=["p95 < 500ms"], seed=1)

A latency is a function ``(rng, at_s, endpoint) -> milliseconds``: ``at_s`` holds the start of every request (seconds
from the run's start), and the result one response time for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from harness.analysis.functions import parse_frame
from harness.messages import Message, message
from harness.plan.duet import duet_plan
from harness.plan.model import Gate, Phase, Segment, Target, Variant
from harness.record.environment import Environment
from harness.record.journal_entries import (
    Endpoint,
    EndReason,
    Event,
    EventKind,
    FailureSample,
    PhaseEndReason,
    PhaseSpan,
    WorkerSecond,
)
from harness.record.profiles import Profile, ProfileIndex, Span, Stack, read_folded, write_folded
from harness.record.resources import Reading
from harness.record.run_folder import RunFolder, write_json
from harness.recording.writer import SUCCEEDED, RecordedLoad, Requests, write_run
from tests.support.latencies import Floats, Latency, bursty
from tests.support.plans import make_plan, ramp, steady, stress

EPOCH_S = 1_770_000_000.0
"""When every recording begins: 2026-02-02T02:40:00Z."""

ENDPOINTS: dict[str, float] = {
    "GET /products": 0.55,
    "GET /products/{id}": 0.25,
    "POST /cart": 0.15,
    "POST /checkout": 0.05,
}
"""The default endpoints, and the share of the requests each gets."""

CPU_STACKS = [
    Stack(("main (harness/shop/__main__.py:12)", "run (uvicorn/server.py:60)", "list_products (harness/shop/app.py:80)",
           "execute (sqlalchemy/engine/base.py:1400)"), 420),
    Stack(("main (harness/shop/__main__.py:12)", "run (uvicorn/server.py:60)", "list_products (harness/shop/app.py:84)",
           "serialize (harness/shop/app.py:30)"), 260),
    Stack(("main (harness/shop/__main__.py:12)", "run (uvicorn/server.py:60)", "checkout (harness/shop/app.py:140)",
           "execute (sqlalchemy/engine/base.py:1400)"), 180),
    Stack(("main (harness/shop/__main__.py:12)", "run (uvicorn/server.py:60)"), 140),
]  # fmt: skip
"""A plausible CPU profile of the shop, for those who need one and do not care which."""


@dataclass(frozen=True)
class Failing:
    """A share of an endpoint's requests that fail in one way (``endpoint`` None: of every endpoint's)."""

    share: float
    failure: str = "HTTP 500"
    endpoint: str | None = None
    phase: str | None = None
    code: str = ""


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
class Profiles:
    """Folded CPU profiles by phase name, and what memray found leaked in the diagnose phase."""

    cpu: Mapping[str, Sequence[Stack]] = field(default_factory=dict)
    leaked: Sequence[Stack] = ()
    notes: Sequence[str] = ()
    rates_hz: Mapping[str, float] = field(default_factory=dict)
    """By phase; 100 where none is given."""


def make_environment(fingerprint: str = "f1e2d3c4", *, notes: Sequence[str] = ()) -> Environment:
    """A machine to have run on."""
    return Environment(
        fingerprint=fingerprint,
        host="bench-1",
        processor="AMD EPYC 7R13",
        cores=2,
        memory_bytes=8 << 30,
        system="Linux 6.1 x86_64",
        python="3.11.7",
        versions={"harness": "0.1.0", "locust": "2.43.0", "py-spy": "0.4.1", "memray": "1.19.0"},
        scenario_commit="5f3c1ab",
        target_commit="5f3c1ab",
        target="the embedded shop (SQLite)",
        notes=list(notes),
    )


def record_run(
    parent: Path,
    *,
    run_id: str = "20260202T024000Z-flash_sale-default-0001",
    scenario: str = "flash_sale",
    profile: str = "default",
    phases: Sequence[Phase] | None = None,
    gates: Sequence[Gate | str] = (),
    endpoints: Mapping[str, float] | None = None,
    latency: Latency | None = None,
    start_delay: Latency | None = None,
    requests_per_user_s: float = 4.0,
    failures: Sequence[Failing] = (),
    seed: int = 0,
    lead_in_s: float = 0.25,
    workers: int = 1,
    worker: Callable[[float], WorkerState] | None = None,
    target_rss: Callable[[float], float] | None = None,
    sampled: Callable[[float], Mapping[str, Mapping[str, float]]] | None = None,
    target: Target | None = None,
    build_b: Target | None = None,
    starts: int = 1,
    profiles: Profiles | None = None,
    events: Sequence[tuple[float, str, str | Message] | tuple[float, str, str | Message, int]] = (),
    held_steps: int | None = None,
    stop_at_s: float | None = None,
    end_reason: EndReason | None = "done",
    verify: Mapping[str, object] | None = None,
    has_verify: bool | None = None,
    stop_early: bool = False,
    environment: Environment | None = None,
    epoch_s: float = EPOCH_S,
) -> RunFolder:
    """Record a run into ``parent / run_id``, all of its files but those that judging and reporting make.

    ``requests_per_user_s``: what one user of the closed model sends; in the open model every arrival is one request.
    ``start_delay`` (open model): how much later than intended each request was sent, ms; the response time holds it.
    ``failures``: which requests fail. ``lead_in_s``: when the first phase begins. ``worker`` and ``target_rss``: state
    of the load workers, and the target's memory in bytes, at a second; ``sampled``: other readings, by source.
    ``held_steps``: how many steps of a stress phase held; the step after them is its last. ``stop_at_s`` ends the
    recording there; ``end_reason`` None then means killed: no phase end, no end frame. ``verify`` is what
    ``verify.json`` says.

    ``build_b`` makes it a duet of so many ``starts``, with ``target`` as build A. Build B's endpoints are
    ``B GET /products`` for ``latency`` and ``failures``, and its profiles those of ``steady (build B)``.
    """
    phases = [ramp(), steady(), stress()] if phases is None else list(phases)
    plan = make_plan(
        phases,
        gates,
        scenario=scenario,
        profile=profile,
        workers=workers,
        seed=seed,
        has_verify=(verify is not None) if has_verify is None else has_verify,
        stop_early=stop_early,
    )
    if target is not None:
        plan = plan.model_copy(update={"targets": (Variant(target=target),)})
    names = list(endpoints or ENDPOINTS)
    if build_b is not None:
        other = plan.model_copy(update={"targets": (Variant(target=build_b),)})
        plan = duet_plan(plan, other, starts=starts)
        phases, workers = list(plan.phases), plan.workers
        names += [f"B {name}" for name in names]
    folder = RunFolder.create(parent, run_id)
    if verify is not None:
        write_json(folder.verification, dict(verify))

    spans = _spans(phases, lead_in_s, held_steps, stop_at_s)
    draw = _Draw(
        names,
        np.array(list((endpoints or ENDPOINTS).values()), dtype=float),
        latency or bursty(seed=seed),
        start_delay,
        requests_per_user_s,
        failures,
        np.random.default_rng(seed),
    )
    state = worker or (lambda _: WorkerState())
    write_run(
        folder,
        plan,
        environment or make_environment(),
        _load(run_id, epoch_s, spans, draw, state, workers, events, end_reason, stop_at_s),
        _readings(epoch_s, spans[-1].end_s, state, target_rss, sampled, np.random.default_rng(seed + 1)),
        _profiles(folder, spans, profiles or Profiles()),
    )
    return folder


@dataclass(frozen=True)
class _Span:
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


def _spans(phases: Sequence[Phase], lead_in_s: float, held_steps: int | None, stop_at_s: float | None) -> list[_Span]:
    spans: list[_Span] = []
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
        spans.append(_Span(phase, start, at, tuple(pieces), reason, held))
    return spans


@dataclass
class _Draw:
    endpoints: list[str]
    shares: Floats
    latency: Latency
    start_delay: Latency | None
    requests_per_user_s: float
    failures: Sequence[Failing]
    rng: np.random.Generator

    def phase(self, number: int, span: _Span) -> Requests:
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
                    failure[mine & (failure < 0) & (self.rng.uniform(size=len(start_s)) < failing.share)] = kind
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


def _load(
    run_id: str,
    epoch_s: float,
    spans: Sequence[_Span],
    draw: _Draw,
    state: Callable[[float], WorkerState],
    workers: int,
    events: Sequence[tuple[float, str, str | Message] | tuple[float, str, str | Message, int]],
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


def _users(at_s: float, spans: Sequence[_Span]) -> int:
    for span in spans:
        for segment, start, end in span.pieces:
            if start <= at_s < end:
                level = segment.start + (segment.end - segment.start) * (at_s - start) / segment.duration_s
                return round(level if span.plan.model == "closed" else max(1.0, level / 20))
    return 0


def _readings(
    epoch_s: float,
    last_s: float,
    state: Callable[[float], WorkerState],
    rss: Callable[[float], float] | None,
    sampled: Callable[[float], Mapping[str, Mapping[str, float]]] | None,
    rng: np.random.Generator,
) -> Iterator[Reading]:
    for second in range(int(last_s) + 1):
        noise = float(rng.normal())
        values: dict[str, dict[str, float]] = {
            "target": {
                "cpu_percent": 55 + 4 * noise,
                "rss_bytes": float(rss(float(second))) if rss else 120e6,
                "threads": 12.0,
                "fds": 40.0,
                "processes": 1.0,
            },
            "generator": {
                "cpu_percent": 100 * state(float(second)).cpu,
                "rss_bytes": 90e6,
                "threads": 6.0,
                "fds": 80.0,
            },
            "machine": {"cpu_percent": 120 + 5 * noise, "steal_percent": 0.2},
        }
        given = sampled(float(second)) if sampled else {}
        for source in dict.fromkeys([*values, *given]):
            yield Reading(epoch_s + second + 0.5, source, {**values.get(source, {}), **given.get(source, {})})


def _by_spans(folder: RunFolder, profile: Profile, spans: int = 10) -> Profile:
    """The profile as a sampler would write it: its samples dealt out over spans, and clocks that agree with them."""
    rng = np.random.default_rng(profile.phase)
    stacks = read_folded(folder.path / profile.path)
    path = (folder.path / profile.path).with_suffix(".spans.folded")
    dealt = [(stack.frames, rng.multinomial(stack.weight, [1 / spans] * spans).tolist()) for stack in stacks]
    write_folded(
        path,
        [
            Stack((f"span {span}", "pid 1", *frames), weight)
            for frames, weights in dealt
            for span, weight in enumerate(weights)
        ],
    )
    assert profile.rate_hz is not None
    used_s = sum(stack.weight for stack in stacks) / profile.rate_hz / spans
    length_s = profile.duration_s / spans
    return replace(
        profile,
        spans_path=str(path.relative_to(folder.path)),
        spans=[Span(span * length_s, length_s, profile.rate_hz, {1: used_s}) for span in range(spans)],
        own=sorted(
            {file for stack in stacks for frame in stack.frames if (file := parse_frame(frame).file)[:4] == "shop"}
        ),
    )


def _profiles(folder: RunFolder, spans: Sequence[_Span], profiles: Profiles) -> ProfileIndex:
    index = ProfileIndex(notes=[message("note", text=note) for note in profiles.notes])
    for number, span in enumerate(spans):
        duration_s = span.end_s - span.start_s
        for variant in ("a", "b") if span.plan.turns else ("",):
            name = f"{span.plan.name} (build {variant.upper()})" if variant else span.plan.name
            stacks = profiles.cpu.get(name)
            if stacks is None:
                continue
            folder.cpu.mkdir(exist_ok=True)
            path = folder.cpu / f"{number}-{name}.folded"
            write_folded(path, list(stacks))
            relative = str(path.relative_to(folder.path))
            rate_hz = profiles.rates_hz.get(name, 100.0)
            profile = Profile("cpu", number, relative, "samples", duration_s, rate_hz, variant=variant)
            index.profiles.append(_by_spans(folder, profile))
        if span.plan.kind == "diagnose" and profiles.leaked:
            folder.memory.mkdir(exist_ok=True)
            path = folder.memory / f"{number}-{span.plan.name}-leaked.folded"
            write_folded(path, list(profiles.leaked))
            relative = str(path.relative_to(folder.path))
            index.profiles.append(Profile("memory-leaked", number, relative, "bytes", duration_s))
    return index
