"""Functions that grew are discovered, at a controlled rate; those that moved, or are on a slower machine, are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from harness.analysis.growth import Growth, growths_of, significant, smallest_growth
from harness.analysis.pooled_profiles import Floats, slowed
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
    shares: Floats = SHARES,
) -> PhaseProfile:
    """Leaves under one root. ``grown``: which one costs by which share of all CPU more. ``clumps``: how many samples
    come together. ``between``: how much functions differ from run to run. ``speed``: of the machine."""
    costs = shares * np.exp(rng.normal(0, between, len(shares)))
    if grown is not None:
        costs[grown[0]] += grown[1]
    expected = np.outer(np.full(SPANS, samples / SPANS), costs)
    counts = rng.poisson(expected / clumps) * clumps
    whole = counts.sum()
    sample_ms = 1000 * whole / 100 / REQUESTS / whole / speed
    functions = {"main (app.py)": FunctionSamples(own=0, total=int(whole), cpu_ms=whole * sample_ms)}
    totals = counts.sum(axis=1)
    for at in range(len(shares)):
        own = counts[:, at]
        share = own.sum() / whole
        variance = ((own - share * totals) ** 2 / (totals * share * (1 - share))).sum() / (SPANS - 1) if share else None
        functions[f"work_{at} (app.py)"] = FunctionSamples(
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


def discovered(growths: Sequence[Growth], rate: float) -> set[str]:
    """The functions that are called grown if a share of at most ``rate`` of them may be so by chance."""
    level = significant(growths, rate)
    return {growth.key for growth in growths if growth.p <= level}


@pytest.mark.slow
@pytest.mark.parametrize(("clumps", "between", "runs"), [(1, 0.0, 1), (4, 0.0, 1), (1, 0.03, 1), (1, 0.06, 6)])
def test_two_profiles_of_one_build_seldom_show_growth(clumps: float, between: float, runs: int) -> None:
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(150):
        before = [profile(rng, 2000, clumps=clumps, between=between) for _ in range(runs)]
        now = profile(rng, 2000, clumps=clumps, between=between, speed=rng.uniform(0.85, 1.15))
        found += bool(discovered(growths_of([now], before), 0.005))
    assert found <= 4  # 0.75 are expected; more than 4 come once in a thousand times


@pytest.mark.slow
@pytest.mark.parametrize(("between", "nights", "runs"), [(0.0, 4, 6), (0.03, 4, 6), (0.06, 4, 6), (0.06, 3, 3)])
def test_nights_of_one_build_seldom_show_growth_together(between: float, nights: int, runs: int) -> None:
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(150):
        now, before = ([profile(rng, 6000, between=between) for _ in range(count)] for count in (nights, runs))
        found += bool(discovered(growths_of(now, before), 0.005))
    assert found <= 4  # as above


def test_several_nights_show_growth_that_none_of_them_shows_alone() -> None:
    rng = np.random.default_rng(8)
    alone, together, covered = Counter[bool](), Counter[bool](), Counter[bool]()
    truth_ms = 0.05 * 600 / 100 / REQUESTS * 1000
    for number in range(60):
        at = 2 + number % 5
        now = [profile(rng, 600, grown=(at, 0.05), between=0.03) for _ in range(4)]
        before = [profile(rng, 600, between=0.03) for _ in range(6)]
        alone[NAMES[at] in discovered(growths_of(now[:1], before), 0.005)] += 1
        growths = growths_of(now, before)
        together[NAMES[at] in discovered(growths, 0.005)] += 1
        (growth,) = [growth for growth in growths if growth.key == NAMES[at]]
        covered[growth.interval_ms[0] <= truth_ms <= growth.interval_ms[1]] += 1
    assert alone[True] <= 30
    assert together[True] >= 54
    assert covered[True] >= 51


def test_nights_that_differ_among_themselves_are_worth_less() -> None:
    """The runs before them are alike, so only the nights show it."""
    rng = np.random.default_rng(9)
    before = [profile(rng, 8000) for _ in range(6)]
    seen = []
    for between in (0.0, 0.5):
        now = [profile(rng, 8000, between=between) for _ in range(4)]
        (growth,) = [growth for growth in growths_of(now, before) if growth.key == NAMES[1]]
        seen.append((growth.interval_ms[1] - growth.interval_ms[0]) / growth.now_ms)
    assert seen[1] > 1.7 * seen[0]


def test_growth_of_a_twentieth_is_found_and_measured() -> None:
    rng = np.random.default_rng(2)
    found, covered = Counter[bool](), Counter[bool]()
    for number in range(60):
        at = 2 + number % (len(SHARES) - 2)
        now = profile(rng, 4000, grown=(at, 0.05), between=0.02)
        growths = growths_of([now], [profile(rng, 4000, between=0.02)])
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
        growths = growths_of([profile(rng, 3000, grown=(3, 0.05), clumps=clumps)], [profile(rng, 3000, clumps=clumps)])
        (growth,) = [growth for growth in growths if growth.key == NAMES[3]]
        seen.append(growth.interval_ms[1] - growth.interval_ms[0])
    assert seen[1] > 1.7 * seen[0]


def test_more_samples_show_smaller_growth() -> None:
    rng = np.random.default_rng(4)
    few, many = (
        smallest_growth([profile(rng, samples)], [profile(rng, samples) for _ in range(3)], 0.1)
        for samples in (500, 5000)
    )
    assert 0 < many < few / 2


def test_a_function_with_much_of_the_cpu_time_must_grow_by_more_to_be_found() -> None:
    rng = np.random.default_rng(4)
    now, before = profile(rng, 1000), [profile(rng, 1000) for _ in range(3)]
    assert smallest_growth([now], before, 0.5) > 2 * smallest_growth([now], before, 0.1)


def test_clumps_in_the_functions_with_most_samples_need_more_growth() -> None:
    rng = np.random.default_rng(4)
    even = [profile(rng, 1000) for _ in range(4)]
    clumped = [
        run.model_copy(
            update={
                "functions": {
                    key: seen.model_copy(update={"dispersion": 9.0}) if seen.own > 90 else seen
                    for key, seen in run.functions.items()
                }
            }
        )
        for run in even
    ]
    needed = [smallest_growth(runs[:1], runs[1:], 0.1) for runs in (even, clumped)]
    assert needed[1] > 1.7 * needed[0]


def test_a_slower_machine_is_distinguished_from_a_slower_function() -> None:
    rng = np.random.default_rng(5)
    now, before = profile(rng, 8000, grown=(0, 0.3), speed=0.8), profile(rng, 8000)
    growths = growths_of([now], [before])
    (slowed_by_itself,) = [growth for growth in growths if growth.key == NAMES[0]]
    assert slowed_by_itself.base_ms == pytest.approx((before.functions[NAMES[0]].cpu_ms or 0) / 0.8, rel=0.06)
    assert discovered(growths, 0.005) == {NAMES[0]}


def test_the_one_function_that_is_sampled_often_does_not_pass_for_the_machine() -> None:
    rng = np.random.default_rng(7)
    shares = np.array([0.5, *[0.03] * 4, *[0.008] * 24])
    found = 0
    for _ in range(20):
        now = profile(rng, 1200, grown=(0, 0.3), shares=shares)
        before = [profile(rng, 1200, shares=shares) for _ in range(5)]
        found += discovered(growths_of([now], before), 0.005) == {NAMES[0]}
    assert found >= 12  # 7 if it counted as the machine


def test_on_a_faster_machine_growth_shows_at_equal_speed() -> None:
    rng = np.random.default_rng(6)
    now, before = profile(rng, 8000, grown=(0, 0.12), speed=1.3), profile(rng, 8000)
    assert discovered(growths_of([now], [before]), 0.005) == set()
    assert discovered(growths_of([now], [slowed(before, 1 / 1.3)]), 0.005) == {NAMES[0]}


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
    assert discovered(growths_of([now], [before]), 0.005) == set()
    assert discovered(growths_of([swapped(now, names)], [before]), 0.005) == set()


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
    assert discovered(growths_of([now], [before]), 0.005) == set()


def test_what_did_not_change_has_not_grown_when_something_else_got_faster() -> None:
    rng = np.random.default_rng(8)
    now, before = profile(rng, 4000, grown=(0, -0.28)), profile(rng, 4000)
    assert now.functions[NAMES[1]].total / now.samples > 1.2 * before.functions[NAMES[1]].total / before.samples
    assert discovered(growths_of([now], [before]), 0.005) == set()


def nested(rng: np.random.Generator, own: float, called: float, rest: float) -> PhaseProfile:
    """``outer`` has so many samples of its own and calls ``inner``; the ``rest`` is in other functions."""
    counts = {"inner (app.py)": rng.poisson(called), "outer (app.py)": rng.poisson(own)}
    counts |= {f"other_{number} (app.py)": rng.poisson(rest / 10) for number in range(10)}
    whole, ms = int(sum(counts.values())), 0.001
    functions = {}
    for key, count in counts.items():
        total = int(count) + (int(counts["inner (app.py)"]) if key == "outer (app.py)" else 0)
        functions[key] = FunctionSamples(
            own=int(count),
            total=total,
            cpu_ms=total * ms,
            dispersion=1.0,
            caller="outer (app.py)" if key == "inner (app.py)" else None,
        )
    return PhaseProfile(
        samples=whole,
        rate_hz=100,
        requests=REQUESTS,
        functions={key: seen for key, seen in functions.items() if seen.total},
        spans=SPANS,
        sample_ms=ms,
        clock_ms=whole * ms,
        busy=1.0,
    )


def test_own_code_that_grew_below_a_large_callee_is_found() -> None:
    rng = np.random.default_rng(8)
    now, before = nested(rng, 120, 700, 700), [nested(rng, 30, 700, 700) for _ in range(3)]
    (outer,) = [growth for growth in growths_of([now], before) if growth.key == "outer (app.py)"]
    assert outer.own is not None
    assert outer.own.p < 1e-6 < outer.p
    assert outer.own.growth_ms == pytest.approx(0.09, rel=0.4)


def test_a_callee_that_was_inlined_into_its_caller_is_not_growth() -> None:
    rng = np.random.default_rng(9)
    now, before = nested(rng, 150, 300, 700), [nested(rng, 50, 400, 700) for _ in range(3)]
    (outer,) = [growth for growth in growths_of([now], before) if growth.key == "outer (app.py)"]
    assert outer.own is not None
    assert outer.own.p > 0.05
