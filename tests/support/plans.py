"""Plans as the harness resolves them: phases, gates and what surrounds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.plan.expression import parse_limit, parse_requirement
from harness.plan.model.phase import Phase, Segment
from harness.plan.model.run import Gate, RunPlan
from harness.plan.model.sampling import MemorySampling, Sampling
from harness.plan.model.scenario import Scenario, UserClass
from harness.plan.model.target import ShopTarget, Variant


def _phase(name: str, kind: str, segments: Sequence[Segment], *, is_open: bool, **more: Any) -> Phase:
    levels = [segments[0].start, *(segment.end for segment in segments)] if segments else [0.0]
    unit = "arrivals/s" if is_open else "users"
    total = sum(segment.duration_s for segment in segments)
    description = f"{min(levels):g} to {max(levels):g} {unit} for {total:g} s"
    if min(levels) == max(levels):
        description = f"{levels[0]:g} {unit} for {total:g} s"
    return Phase(
        name=name,
        kind=kind,
        model="open" if is_open else "closed",
        segments=tuple(segments),
        description=description,
        **more,
    )


def ramp(users: float = 50, seconds: float = 5, *, rate: float | None = None, name: str = "ramp") -> Phase:
    """From nothing to ``users`` (or ``rate`` arrivals per second)."""
    level = users if rate is None else rate
    segments = [Segment(start=0, end=level, duration_s=seconds)]
    return _phase(name, "ramp", segments, is_open=rate is not None)


def steady(users: float = 50, seconds: float = 20, *, rate: float | None = None, name: str = "steady") -> Phase:
    """``users`` (or ``rate`` arrivals per second) held."""
    level = users if rate is None else rate
    segments = [Segment(start=level, end=level, duration_s=seconds)]
    return _phase(name, "steady", segments, is_open=rate is not None)


def stress(
    levels: Sequence[float] = (50, 100, 150),
    every: float = 5,
    *,
    rate: bool = False,
    until: str | None = "p95 > 500ms",
) -> Phase:
    """Steps of ``every`` seconds, in users, or with ``rate`` in arrivals per second."""
    segments = [Segment(start=level, end=level, duration_s=every) for level in levels]
    condition = None if until is None else parse_limit(until)
    return _phase("stress", "stress", segments, is_open=rate, until=condition)


def pause(seconds: float = 3, name: str = "pause") -> Phase:
    """Nothing is sent, nothing measured."""
    return _phase(name, "pause", [Segment(start=0, end=0, duration_s=seconds)], is_open=False, measured=False)


def diagnose(users: float = 50, seconds: float = 5, name: str = "diagnose") -> Phase:
    """The memory pass after the measured phases."""
    segments = [Segment(start=users, end=users, duration_s=seconds)]
    return _phase(name, "diagnose", segments, is_open=False, measured=False)


def gate(text: str, phase: str | None = None, endpoint: str | None = None) -> Gate:
    """A gate as the plan holds it."""
    return Gate(comparison=parse_requirement(text), phase=phase, endpoint=endpoint)


def make_plan(
    phases: Sequence[Phase],
    gates: Sequence[Gate | str] = (),
    *,
    scenario: str = "flash_sale",
    profile: str = "default",
    workers: int = 1,
    seed: int = 0,
    has_verify: bool = False,
    stop_early: bool = False,
) -> RunPlan:
    """A plan around ``phases``; a gate may be given as its text, then it holds for every measured phase."""
    return RunPlan(
        scenario=Scenario(
            path=f"/work/scenarios/{scenario}.py",
            name=scenario,
            sha256="0" * 64,
            user_classes=(
                UserClass(
                    name="Shopper",
                    weight=1,
                    fixed_count=0,
                    host=None,
                    tasks={"browse": 0.8, "add_to_cart": 0.15, "checkout": 0.05},
                ),
            ),
            has_verify=has_verify,
        ),
        profile=profile,
        phases=tuple(phases),
        gates=tuple(gate(entry) if isinstance(entry, str) else entry for entry in gates),
        sampling=Sampling(memory=MemorySampling(duration_s=5)),
        targets=(Variant(target=ShopTarget()),),
        workers=workers,
        seed=seed,
        stop_early=stop_early,
    )
