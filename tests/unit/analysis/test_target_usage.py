"""What the target's processes used a request, and how certain that is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.analysis.measurement import measure
from harness.analysis.target_usage import interval_of, usage_of, used_by_block
from harness.metrics import TARGET_METRICS
from harness.metrics.target_usage import TargetUsage
from harness.record.measurement import ALL, Interval
from harness.recording import RunRecording, open_recording
from tests.support.plans import steady
from tests.support.recordings import record_run
from tests.support.samples import wandering

CPU, GROWTH = TARGET_METRICS["cpu_per_request"], TARGET_METRICS["rss_growth"]
RUNS = 200


def drawn_usage(rng: np.random.Generator, seconds: int, *, ms: float = 5.0) -> TargetUsage:
    """Requests at random, each of which costs ``ms`` on average; the cost wanders from second to second."""
    requests = rng.poisson(60, seconds).astype(float)
    cost_s = ms / 1000 * np.exp(wandering(rng, seconds, phi=0.5, spread=0.05))
    return TargetUsage(cpu_s=requests * cost_s, requests=requests)


def seen(usage: TargetUsage) -> Interval:
    interval = interval_of(usage, CPU)
    assert interval is not None
    return interval


@pytest.mark.parametrize("seconds", [10, 30, 120])
def test_the_interval_contains_the_true_value_as_often_as_stated(seconds: int) -> None:
    rng = np.random.default_rng(3)
    truth = seen(drawn_usage(rng, 50_000)).value
    found = [seen(drawn_usage(rng, seconds)) for _ in range(RUNS)]
    hits = sum(each.high is not None and each.low <= truth <= each.high for each in found)
    assert 0.88 <= hits / RUNS <= 0.99


def test_half_a_minute_shows_cpu_time_to_a_few_per_cent() -> None:
    rng = np.random.default_rng(5)
    widths = [
        ((each.high or np.inf) - each.low) / each.value for each in (seen(drawn_usage(rng, 30)) for _ in range(50))
    ]
    assert float(np.median(widths)) < 0.1


def test_two_readings_do_not_show_how_seconds_differ() -> None:
    interval = seen(TargetUsage(np.array([0.5, 0.6]), np.array([100.0, 100.0])))
    assert interval.value == pytest.approx(5.5)
    assert (interval.low, interval.high) == (0, None)


def test_the_cpu_of_a_phase_is_divided_by_its_requests(tmp_path: Path) -> None:
    phases = [steady(rate=100, seconds=20), steady(rate=50, seconds=20, name="half")]
    folder = record_run(
        tmp_path, phases=phases, sampled=lambda at_s: {"target": {"cpu_percent": 50 if at_s < 20 else 40}}
    )
    run = open_recording(folder)
    assert isinstance(run, RunRecording)
    usage = usage_of(run.phases[0], run)
    assert len(usage.cpu_s) == 18  # from reading to reading, between the phase's first and last whole second
    assert usage.requests.sum() == pytest.approx(18 * 100, rel=0.02)
    for phase, ms in (("steady", 5.0), ("half", 8.0)):
        figure = measure(run).figure(phase, ALL, "cpu_per_request")
        assert figure is not None
        assert figure.value == pytest.approx(ms, rel=0.03)
    others = [part.figures for name, part in measure(run).phases[0].endpoints.items() if name != ALL]
    assert others
    assert not any("cpu_per_request" in figures for figures in others)


def test_a_block_of_turns_has_the_cpu_time_of_its_own_turns() -> None:
    """Readings come every quarter of a second, blocks end between two of them."""
    rng = np.random.default_rng(1)
    own = np.concatenate(
        [rng.permutation([[True, False, False, True], [False, True, True, False]])[0] for _ in range(20)]
    )
    edges_s = 0.5 * np.arange(len(own) + 1)
    used_s = np.concatenate([[0.0], (0.5 * own * np.repeat(np.linspace(0.1, 0.4, 20), 4)).cumsum()])
    read_s = np.arange(-1, 42, 0.251)
    found = used_by_block(read_s, np.interp(read_s, edges_s, used_s), np.full(len(own), 0.5), own.tolist())
    assert found == pytest.approx(np.linspace(0.1, 0.4, 20), rel=0.04)


def growing(rng: np.random.Generator, seconds: int, *, per_minute: float) -> TargetUsage:
    """Memory that wanders for seconds, with a step now and then, and grows."""
    at_s = np.arange(float(seconds))
    rss = 2e8 + per_minute / 60 * at_s + 1e6 * wandering(rng, seconds, phi=0.7, spread=1)
    return TargetUsage(np.empty(0), np.empty(0), at_s, rss)


@pytest.mark.parametrize("seconds", [30, 120, 600])
def test_the_interval_of_growth_holds_the_truth(seconds: int) -> None:
    rng = np.random.default_rng(11)
    found = [interval_of(growing(rng, seconds, per_minute=3e6), GROWTH) for _ in range(RUNS)]
    hits = sum(each is not None and each.high is not None and each.low <= 3e6 <= each.high for each in found)
    assert 0.85 <= hits / RUNS <= 0.995


def test_a_step_is_not_growth() -> None:
    rss = np.full(60, 2e8)
    rss[10:] += 5e7
    figure = interval_of(TargetUsage(np.empty(0), np.empty(0), np.arange(60.0), rss), GROWTH)
    assert figure is not None
    assert figure.value == 0


def test_memory_that_shrinks_has_a_negative_growth() -> None:
    figure = interval_of(growing(np.random.default_rng(1), 300, per_minute=-3e6), GROWTH)
    assert figure is not None
    assert figure.high is not None
    assert figure.high < 0


def test_a_short_phase_shows_no_growth() -> None:
    assert interval_of(growing(np.random.default_rng(1), 20, per_minute=3e6), GROWTH) is None
