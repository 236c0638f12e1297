"""Paired intervals hold the true change as often as they say, and noise that hits both builds alike is not in them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.block_effects import Effect, _error, effect_of, effect_on_usage
from harness.analysis.intervals import interval_of
from harness.analysis.samples import Floats, Sample
from harness.metrics import REQUEST_METRICS, RUN_METRICS
from harness.metrics.target_usage import TargetUsage
from harness.record.histogram import buckets_of
from tests.support.samples import wandering

BLOCKS = 30
PAIRS = 150
COMPARED = [name for name, metric in REQUEST_METRICS.items() if metric.compared]


def drawn(rng: np.random.Generator, level: Floats, *, slower: float = 1.0, per_block: float = 80) -> Sample:
    """Blocks of log-normal times around ``level``, the fortune of each block; a hundredth of the requests fails."""
    n = len(level)
    requests = rng.poisson(per_block, n)
    block = np.repeat(np.arange(n), requests)
    values = 20_000 * slower * np.exp(0.5 * rng.standard_normal(len(block)) + level[block])
    times_us = np.rint(values).astype(np.int64)
    count = requests.astype(float)
    return Sample(
        lengths_s=np.ones(n),
        planned=np.ones(n),
        requests=count,
        started=count,
        failures=np.bincount(block[rng.uniform(size=len(block)) < 0.01], minlength=n).astype(float),
        timed=count,
        sum_us=np.bincount(block, weights=times_us, minlength=n).astype(float),
        max_us=int(times_us.max()),
        seconds=block,
        buckets=buckets_of(times_us),
        counts=np.ones(len(block), dtype=np.int64),
    )


def effect(a: Sample, b: Sample, metric: str, starts: Floats | None = None) -> Effect:
    found = effect_of(a, b, REQUEST_METRICS[metric], np.zeros(a.n) if starts is None else starts)
    assert found is not None
    return found


@pytest.mark.parametrize("slower", [1.0, 1.1])
def test_intervals_hold_the_true_change(slower: float) -> None:
    rng = np.random.default_rng(11)
    held = dict.fromkeys(COMPARED, 0)
    for _ in range(PAIRS):
        level = wandering(rng, BLOCKS, phi=0.8, spread=0.3)
        a, b = drawn(rng, level), drawn(rng, level, slower=slower)
        for metric in COMPARED:
            low, high = effect(a, b, metric).bounds()
            truth = 0.0 if metric in ("error_rate", "throughput") else math.log(slower)
            held[metric] += low <= truth <= high
    assert {metric: count / PAIRS for metric, count in held.items() if count / PAIRS < 0.9} == {}


def test_noise_that_hits_both_builds_alike_cancels_out() -> None:
    rng = np.random.default_rng(5)
    level = wandering(rng, BLOCKS, phi=0.8, spread=0.4)
    a, b = drawn(rng, level), drawn(rng, level, slower=1.1)
    low, high = effect(a, b, "mean").bounds()
    alone = interval_of(b, REQUEST_METRICS["mean"])
    assert alone is not None
    assert alone.high is not None
    assert high - low < (alone.high - alone.low) / alone.value / 3
    assert 0 < low < math.log(1.1) < high


def test_what_differs_between_starts_is_noise() -> None:
    rng = np.random.default_rng(3)
    starts = np.arange(BLOCKS) % 3
    luck = np.array([-0.1, 0.0, 0.1])[starts]
    a, b = drawn(rng, np.zeros(BLOCKS)), drawn(rng, luck)
    one, several = effect(a, b, "mean"), effect(a, b, "mean", starts.astype(float))
    assert several.error > 1.3 * one.error
    assert several.degrees < one.degrees


@pytest.mark.parametrize("luck", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("starts", [4, 8])
def test_intervals_hold_the_truth_however_much_starts_differ(starts: int, luck: float) -> None:
    """``luck``: how much starts differ, in standard errors between the blocks of one start."""
    rng, trials, held = np.random.default_rng(1), 2000, 0
    of_start = np.arange(56) % starts
    for _ in range(trials):
        blocks = luck * rng.standard_normal(starts)[of_start] + rng.normal(0, math.sqrt(56 / starts), 56)
        held += Effect(blocks.mean(), *_error((blocks - blocks.mean()) / 56, of_start.astype(float))).chance > 0.05
    assert 0.935 <= held / trials <= 0.98


def test_a_block_without_requests_of_one_build_shows_no_change_in_times() -> None:
    rng = np.random.default_rng(2)
    level = np.zeros(BLOCKS)
    a, b = drawn(rng, level), drawn(rng, level)
    assert effect(a, b, "p50").chance > 0.01
    assert effect(a, a, "p95").value == 0.0


def test_too_few_requests_beyond_a_percentile_compare_nothing() -> None:
    rng = np.random.default_rng(2)
    a = drawn(rng, np.zeros(4), per_block=20)
    assert effect_of(a, a, REQUEST_METRICS["p99"], np.zeros(4)) is None
    assert effect_of(a, a, REQUEST_METRICS["p50"], np.zeros(4)) is not None


def test_cpu_per_request_is_compared_by_block() -> None:
    rng = np.random.default_rng(8)
    requests = rng.poisson(80, BLOCKS).astype(float)
    noise = np.exp(0.2 * rng.standard_normal(BLOCKS))
    a = TargetUsage(0.001 * requests * noise, requests)
    b = TargetUsage(0.001 * 1.05 * requests * noise, requests)
    found = effect_on_usage(a, b, RUN_METRICS["cpu_per_request"], np.zeros(BLOCKS))
    assert found is not None
    low, high = found.bounds()
    assert low < math.log(1.05) + 1e-9
    assert high > math.log(1.05) - 1e-9
    assert low > 0.04
    assert (
        effect_on_usage(TargetUsage(np.zeros(0), np.zeros(0)), b, RUN_METRICS["cpu_per_request"], np.zeros(0)) is None
    )


def drawn_usage(rng: np.random.Generator, speed: Floats, cost: float, starts: Floats) -> TargetUsage:
    """80 requests of ``cost`` a block, in which everything takes ``speed`` times as long, seen with an error of 2 %."""
    requests = rng.poisson(80, len(speed)).astype(float)
    cpu_s = 0.001 * cost * requests * speed * np.exp(0.02 * rng.standard_normal(len(speed)) + starts)
    return TargetUsage(cpu_s, requests, reference_ms=0.2 * speed * np.exp(0.02 * rng.standard_normal(len(speed))))


@pytest.mark.parametrize("luck", [0.0, 0.03])
def test_the_speed_of_the_machine_in_the_turns_of_either_build_is_taken_out(luck: float) -> None:
    """With and without starts that differ, intervals hold the truth as often as they say, and are narrower."""
    rng = np.random.default_rng(12)
    held, narrower = 0, []
    for _ in range(PAIRS):
        starts = np.arange(32.0) % 4
        speeds = np.exp(0.08 * rng.standard_normal((2, 32)))
        lucks = luck * rng.standard_normal((2, 4))
        a, b = (
            drawn_usage(rng, speeds[side], cost, lucks[side][starts.astype(int)])
            for side, cost in enumerate((1.0, 1.05))
        )
        found, as_measured = (
            effect_on_usage(*pair, RUN_METRICS["cpu_per_request"], starts)
            for pair in ((a, b), (TargetUsage(a.cpu_s, a.requests), TargetUsage(b.cpu_s, b.requests)))
        )
        assert found is not None
        assert as_measured is not None
        low, high = found.bounds()
        held += low <= math.log(1.05) <= high
        narrower.append((high - low) / np.subtract(*as_measured.bounds()[::-1]))
    assert 0.89 <= held / PAIRS <= 0.995
    assert np.median(narrower) < (0.5 if luck == 0 else 0.95)


def test_builds_side_by_side_have_one_speed() -> None:
    rng = np.random.default_rng(3)
    speed, starts = np.exp(0.1 * rng.standard_normal(32)), np.zeros(32)
    a, other = (drawn_usage(rng, speed, 1.0, starts) for _ in range(2))
    b = TargetUsage(other.cpu_s, other.requests, reference_ms=a.reference_ms)
    of_a, of_b = (TargetUsage(each.cpu_s, each.requests) for each in (a, b))
    metric = RUN_METRICS["cpu_per_request"]
    assert effect_on_usage(a, b, metric, starts) == effect_on_usage(of_a, of_b, metric, starts)
