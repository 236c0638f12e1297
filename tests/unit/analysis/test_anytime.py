"""Checking a duet after every block errs no more often than stated, and still finds a change."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis import anytime
from harness.analysis.block_effects import Effect, effect_of
from harness.analysis.samples import Floats, Sample
from harness.metrics import REQUEST_METRICS
from harness.plan.duet import FEWEST_BLOCKS

PLANNED = 60
TRIALS = 400
STATED = 0.05
NOTHING: Floats = np.zeros(0)
NO_ENTRIES = np.zeros(0, dtype=np.int32)


def sums(sum_us: Floats, timed: Floats) -> Sample:
    """Blocks of which only requests and the sum of their times are known."""
    rest = dict.fromkeys(("lengths_s", "planned", "requests", "started", "failures"), NOTHING)
    return Sample(
        **rest, timed=timed, sum_us=sum_us, max_us=0, seconds=NO_ENTRIES, buckets=NO_ENTRIES, counts=NO_ENTRIES
    )


def looks(rng: np.random.Generator, change: float) -> list[Effect]:
    """The effect on the mean after each block of one duet, whose blocks are skewed and slow both builds alike."""
    level = np.exp(0.5 * rng.standard_normal(PLANNED))
    builds = []
    for factor in (1.0, math.exp(change)):
        timed = rng.poisson(60, PLANNED).astype(float)
        builds.append((timed * factor * 20_000 * level * rng.lognormal(0, 0.25, PLANNED), timed))
    effects = []
    for seen in range(FEWEST_BLOCKS, PLANNED + 1):
        a, b = (sums(sum_us[:seen], timed[:seen]) for sum_us, timed in builds)
        found = effect_of(a, b, REQUEST_METRICS["mean"], np.zeros(seen))
        assert found is not None
        effects.append(found)
    return effects


def excludes(effect: Effect, truth: float) -> bool:
    low, high = effect.bounds()
    return not low <= truth <= high


@pytest.mark.slow
@pytest.mark.parametrize("change", [0.0, 0.1])
def test_looking_after_every_block_errs_no_more_often_than_stated(change: float) -> None:
    rng = np.random.default_rng(17)
    by_student = anytime_valid = 0
    for _ in range(TRIALS):
        seen = looks(rng, change)
        by_student += any(excludes(effect, change) for effect in seen)
        anytime_valid += any(
            excludes(Effect(effect.value, effect.error, effect.degrees, (at, PLANNED)), change)
            for at, effect in enumerate(seen, FEWEST_BLOCKS)
        )
    assert anytime_valid / TRIALS <= STATED
    assert by_student / TRIALS > 3 * STATED


def test_a_clear_change_is_found_long_before_the_end() -> None:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(50):
        seen = enumerate(looks(rng, 0.3), FEWEST_BLOCKS)
        looked = ((at, Effect(effect.value, effect.error, effect.degrees, (at, PLANNED))) for at, effect in seen)
        found.append(next((at for at, effect in looked if excludes(effect, 0.0)), PLANNED))
    assert np.median(found) < PLANNED / 2


@pytest.mark.parametrize("seen", [12, 30, 240])
def test_an_interval_that_touches_no_change_has_a_chance_of_1_in_20(seen: int) -> None:
    assert anytime.chance(anytime.reach(seen, 60, 0.05), seen, 60) == pytest.approx(0.05)
    assert anytime.chance(0.0, seen, 60) == 1.0


def test_too_few_blocks_bound_nothing() -> None:
    assert anytime.reach(4, 60, 0.005) == math.inf
    assert anytime.chance(50.0, 2, 60) > 0.05
