"""Functions that grew are discovered, at a controlled rate; those that moved, or are on a slower machine, are not."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from harness.analysis.growth import discovered, growths_of, machine_change, slowed, smallest_growth
from harness.record.measurement import FunctionSamples, PhaseProfile

SHARES = np.array([0.3, 0.2, 0.1, 0.08, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02, 0.01, 0.005, 0.005])
NAMES = [f"work_{number} (app.py)" for number in range(len(SHARES))]
SPANS = 15
REQUESTS = 9000.0


def profile(
    rng: np.random.Generator,
    samples: int,
    *,
    grown: tuple[int, float] | None = None,
    clumps: float = 1.0,
    between: float = 0.0,
    speed: float = 1.0,
) -> PhaseProfile:
    """Leaves under one root. ``grown``: which one costs by which share of all CPU more. ``clumps``: how many samples
    come together. ``between``: how much functions differ from run to run. ``speed``: of the machine."""
    costs = SHARES * np.exp(rng.normal(0, between, len(SHARES)))
    if grown is not None:
        costs[grown[0]] += grown[1]
    expected = np.outer(np.full(SPANS, samples / SPANS), costs)
    counts = rng.poisson(expected / clumps) * clumps
    whole = counts.sum()
    sample_ms = 1000 * whole / 100 / REQUESTS / whole / speed
    functions = {"main (app.py)": FunctionSamples(own=0, total=int(whole), cpu_ms=whole * sample_ms)}
    totals = counts.sum(axis=1)
    for at, name in enumerate(NAMES):
        own = counts[:, at]
        share = own.sum() / whole
        variance = ((own - share * totals) ** 2 / (totals * share * (1 - share))).sum() / (SPANS - 1) if share else None
        functions[name] = FunctionSamples(
            own=int(own.sum()),
            total=int(own.sum()),
            cpu_ms=float(own.sum() * sample_ms),
            dispersion=variance,
            caller="main (app.py)",
        )
    return PhaseProfile(
        samples=int(whole),
        rate_hz=100,
        requests=REQUESTS,
        functions=functions,
        spans=SPANS,
        sample_ms=sample_ms,
        clock_ms=float(whole * sample_ms),
        busy=1.0,
    )


@pytest.mark.parametrize(("clumps", "between", "runs"), [(1, 0.0, 1), (4, 0.0, 1), (1, 0.03, 1), (1, 0.06, 6)])
def test_two_profiles_of_one_build_seldom_show_growth(clumps: float, between: float, runs: int) -> None:
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(150):
        before = [profile(rng, 2000, clumps=clumps, between=between) for _ in range(runs)]
        now = profile(rng, 2000, clumps=clumps, between=between, speed=rng.uniform(0.85, 1.15))
        found += bool(discovered(growths_of(now, before), 0.005))
    assert found <= 4  # 0.75 are expected; more than 4 come once in a thousand times


def test_growth_of_a_twentieth_is_found_and_measured() -> None:
    rng = np.random.default_rng(2)
    found, covered = Counter[bool](), Counter[bool]()
    for number in range(60):
        at = 2 + number % (len(SHARES) - 2)
        now = profile(rng, 4000, grown=(at, 0.05), between=0.02)
        growths = growths_of(now, [profile(rng, 4000, between=0.02)])
        found[NAMES[at] in discovered(growths, 0.005)] += 1
        (growth,) = [growth for growth in growths if growth.key == NAMES[at]]
        truth_ms = 0.05 * 4000 / 100 / REQUESTS * 1000
        covered[growth.interval_ms[0] <= truth_ms <= growth.interval_ms[1]] += 1
    assert found[True] >= 54
    assert covered[True] >= 51


def test_clumps_of_samples_are_worth_less() -> None:
    rng = np.random.default_rng(3)
    seen = []
    for clumps in (1, 6):
        growths = growths_of(profile(rng, 3000, grown=(3, 0.05), clumps=clumps), [profile(rng, 3000, clumps=clumps)])
        (growth,) = [growth for growth in growths if growth.key == NAMES[3]]
        seen.append(growth.interval_ms[1] - growth.interval_ms[0])
    assert seen[1] > 1.7 * seen[0]


def test_more_samples_show_smaller_growth() -> None:
    rng = np.random.default_rng(4)
    few, many = (
        smallest_growth(profile(rng, samples), [profile(rng, samples) for _ in range(3)]) for samples in (500, 5000)
    )
    assert 0 < many < few / 2


def test_a_slower_machine_is_told_from_a_slower_function() -> None:
    rng = np.random.default_rng(5)
    now, before = profile(rng, 8000, grown=(0, 0.3), speed=0.8), profile(rng, 8000)
    assert machine_change(now, before, 1) == pytest.approx(np.log(1 / 0.8), abs=0.06)
    assert discovered(growths_of(now, [before]), 0.005) == {NAMES[0]}


def test_on_a_faster_machine_growth_shows_at_equal_speed() -> None:
    rng = np.random.default_rng(6)
    now, before = profile(rng, 8000, grown=(0, 0.12), speed=1.3), profile(rng, 8000)
    assert discovered(growths_of(now, [before]), 0.005) == set()
    assert discovered(growths_of(now, [slowed(before, 1 / 1.3)]), 0.005) == {NAMES[0]}


def swapped(original: PhaseProfile, names: dict[str, str]) -> PhaseProfile:
    """The profile with functions called otherwise, also as callers."""
    functions = {
        names.get(key, key): seen.model_copy(update={"caller": names.get(seen.caller or "", seen.caller)})
        for key, seen in original.functions.items()
    }
    return original.model_copy(update={"functions": functions})


@pytest.mark.parametrize(
    "names",
    [
        {NAMES[1]: "rank (app.py)"},
        {NAMES[1]: "work_1 (ranking.py)"},
        {NAMES[1]: "work_1 (ranking.py)", "main (app.py)": "main (server.py)"},
    ],
)
def test_a_function_that_was_renamed_or_moved_has_not_grown(names: dict[str, str]) -> None:
    rng = np.random.default_rng(6)
    now, before = profile(rng, 4000), profile(rng, 4000)
    assert discovered(growths_of(now, [before]), 0.005) == set()
    assert discovered(growths_of(swapped(now, names), [before]), 0.005) == set()


def test_a_function_that_was_taken_out_of_another_has_not_grown() -> None:
    rng = np.random.default_rng(7)
    before, now = profile(rng, 4000), profile(rng, 4000)
    whole = now.functions[NAMES[0]]
    kept = whole.own // 3
    assert whole.cpu_ms is not None
    part = FunctionSamples(
        own=whole.own - kept,
        total=whole.own - kept,
        cpu_ms=whole.cpu_ms * (whole.own - kept) / whole.own,
        dispersion=1.0,
        caller=NAMES[0],
    )
    split = {**now.functions, NAMES[0]: whole.model_copy(update={"own": kept}), "helper (app.py)": part}
    now = now.model_copy(update={"functions": split})
    assert discovered(growths_of(now, [before]), 0.005) == set()


def test_what_did_not_change_has_not_grown_when_something_else_got_faster() -> None:
    rng = np.random.default_rng(8)
    now, before = profile(rng, 4000, grown=(0, -0.28)), profile(rng, 4000)
    assert now.functions[NAMES[1]].total / now.samples > 1.2 * before.functions[NAMES[1]].total / before.samples
    assert discovered(growths_of(now, [before]), 0.005) == set()
