"""Run folders made in milliseconds: written with the real writers, from a seeded generator.

Whatever reads run folders (analysis, gates, store, report) is tested on these: the files are the real formats, only
the requests are drawn instead of sent. The same arguments give the same bytes.

    folder = record_run(tmp_path, phases=[ramp(), steady(users=50, seconds=30)], gates=["p95 < 500ms"], seed=1)

A latency is a function ``(rng, at_s, endpoint) -> milliseconds``: ``at_s`` holds the start of every request (seconds
from the run's start), and the result one response time for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.plan.duet import duet_plan
from harness.plan.model.phase import Phase
from harness.plan.model.run import Gate
from harness.plan.model.target import PlannedTarget, Variant
from harness.record.environment import Environment
from harness.record.journal_entries import EndReason
from harness.record.resources import Reading
from harness.record.run_folder import RunFolder, write_json
from harness.recording.writer import write_run
from tests.support.latencies import Latency, bursty
from tests.support.plans import make_plan, ramp, steady, stress
from tests.support.recorded_load import Draw, Events, Failing, WorkerState, ran_phases, recorded_load
from tests.support.recorded_profiles import CPU_STACKS, Profiles, write_profiles

__all__ = [
    "CPU_STACKS",
    "ENDPOINTS",
    "EPOCH_S",
    "SHOP",
    "Failing",
    "Profiles",
    "WorkerState",
    "make_environment",
    "record_run",
]

EPOCH_S = 1_770_000_000.0
"""When every recording begins: 2026-02-02T02:40:00Z."""

ENDPOINTS: dict[str, float] = {"GET /products": 0.9, "POST /checkout": 0.1}
"""The default endpoints, and the share of the requests each gets."""

SHOP = {"GET /products": 0.55, "GET /products/{id}": 0.25, "POST /cart": 0.15, "POST /checkout": 0.05}
"""More of them, for those who need some."""


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
    target: PlannedTarget | None = None,
    build_b: PlannedTarget | None = None,
    starts: int = 1,
    profiles: Profiles | None = None,
    events: Events = (),
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

    spans = ran_phases(phases, lead_in_s, held_steps, stop_at_s)
    draw = Draw(
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
        recorded_load(run_id, epoch_s, spans, draw, state, workers, events, end_reason, stop_at_s),
        _readings(epoch_s, spans[-1].end_s, state, target_rss, sampled, np.random.default_rng(seed + 1)),
        write_profiles(folder, spans, profiles or Profiles()),
    )
    return folder


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
