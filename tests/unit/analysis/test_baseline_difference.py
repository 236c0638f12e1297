"""A run against its baseline: noise is seldom mistaken for a change, and a change seldom for noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.baseline_difference import against
from harness.analysis.intervals import interval_of
from harness.gates.requirement import limit_of, side_of
from harness.metrics import RUN_METRICS
from harness.plan.expression import parse_requirement
from harness.record.gate_result import GateStatus
from harness.record.measurement import Interval
from tests.support.samples import drawn_sample

PAIRS = 100


def p95(rng: np.random.Generator, *, slower: float, between: float) -> Interval:
    """The P95 of a run of 60 s at 100 requests/s; ``between``: how much runs of one build differ as a whole."""
    own = float(np.exp(between * rng.standard_normal()))
    found = interval_of(drawn_sample(rng, 60, phi=0.5, spread=0.08, median_ms=20 * slower * own), RUN_METRICS["p95"])
    assert found is not None
    return found


def statuses(*, slower: float, runs: int, between: float) -> dict[GateStatus, float]:
    """How often ``p95 <= baseline + 10%`` passes, fails, and is inconclusive."""
    rng = np.random.default_rng(29)
    gate = parse_requirement("p95 <= baseline + 10%")
    found: dict[GateStatus, float] = {"pass": 0, "fail": 0, "inconclusive": 0}
    for _ in range(PAIRS):
        base = [p95(rng, slower=1, between=between) for _ in range(runs)]
        value, seen = against(p95(rng, slower=slower, between=between), base, gate.measures)
        found[side_of(gate, seen, limit_of(gate, value))] += 1 / PAIRS
    return found


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("between", [0.0, 0.03])
def test_noise_seldom_fails_a_gate(runs: int, between: float) -> None:
    assert statuses(slower=1.0, runs=runs, between=between)["fail"] < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 3])
def test_a_build_that_is_30_percent_slower_fails(runs: int) -> None:
    assert statuses(slower=1.3, runs=runs, between=0.0)["fail"] > 0.9


@pytest.mark.slow
def test_a_build_30_percent_slower_seldom_passes_even_when_runs_differ() -> None:
    assert statuses(slower=1.3, runs=2, between=0.05)["pass"] < 0.02


def exact(value: float, noise: float = 0.0) -> Interval:
    return Interval(value=value, low=value * (1 - noise), high=value * (1 + noise))


def width(observed: Interval, baselines: list[Interval]) -> float:
    _, seen = against(observed, baselines, RUN_METRICS["p95"])
    assert seen.high is not None
    return math.log(seen.high / seen.low)


def test_the_noise_of_both_sides_counts() -> None:
    alone = width(exact(100), [exact(100)])
    assert width(exact(100, 0.1), [exact(100)]) > alone
    assert width(exact(100), [exact(100, 0.1)]) > alone
    assert width(exact(100, 0.1), [exact(100, 0.1)]) > max(
        width(exact(100, 0.1), [exact(100)]), width(exact(100), [exact(100, 0.1)])
    )


def test_two_exact_figures_still_have_the_noise_between_runs() -> None:
    assert 0.06 < width(exact(100), [exact(100)]) < 0.12


def test_baseline_runs_that_differ_widen_the_interval_more_runs_narrow_it() -> None:
    agreeing = width(exact(100), [exact(100), exact(101)])
    differing = width(exact(100), [exact(90), exact(111)])
    many = width(exact(100), [exact(90), exact(111)] * 4)
    assert agreeing < many < differing


def test_noise_that_was_calibrated_takes_the_place_of_what_is_assumed() -> None:
    metric = RUN_METRICS["p95"]

    def wide(runs: int, *, calibrated: float | None, doubtful: bool = False) -> float:
        _, seen = against(exact(100), [exact(100)] * runs, metric, doubtful=doubtful, calibrated=calibrated)
        assert seen.high is not None
        return math.log(seen.high / seen.low)

    assert wide(1, calibrated=0.06) == pytest.approx(4 * wide(1, calibrated=None))
    assert wide(10, calibrated=0.06) > 3 * wide(10, calibrated=None)
    assert wide(1, calibrated=0.0) == wide(1, calibrated=None)
    assert wide(1, calibrated=0.02, doubtful=True) < wide(1, calibrated=None, doubtful=True)


def test_the_baseline_is_the_geometric_mean_of_its_runs() -> None:
    value, seen = against(exact(100), [exact(50), exact(200)], RUN_METRICS["p95"])
    assert value == pytest.approx(100)
    assert seen.value == 100


def test_an_interval_without_an_upper_end_keeps_none() -> None:
    _, seen = against(Interval(value=100, low=0, high=None), [exact(100)], RUN_METRICS["p99"])
    assert (seen.low, seen.high) == (0, None)
    _, seen = against(exact(100), [Interval(value=100, low=90, high=None)], RUN_METRICS["p99"])
    assert seen.low == 0
    assert seen.high is not None


def test_error_rates_are_compared_by_difference() -> None:
    value, seen = against(
        Interval(value=2, low=1, high=4),
        [Interval(value=0, low=0, high=1), Interval(value=1, low=0.5, high=2)],
        RUN_METRICS["error_rate"],
    )
    assert value == 0.5
    assert 0 < seen.low < 1
    assert seen.high is not None
    assert seen.high > 4
    _, open_ended = against(
        Interval(value=2, low=1, high=None), [Interval(value=1, low=0.5, high=None)], RUN_METRICS["error_rate"]
    )
    assert (open_ended.low, open_ended.high) == (0, None)


@pytest.mark.parametrize(
    ("gate", "limit"),
    [("p95 < 500ms", 500), ("p95 <= baseline + 10%", 220), ("throughput >= baseline - 5%", 190),
     ("p95 <= baseline + 30ms", 230), ("p95 <= baseline", 200), ("error_rate <= baseline + 1%", 201)],
)  # fmt: skip
def test_limits(gate: str, limit: float) -> None:
    asked = parse_requirement(gate)
    assert limit_of(asked, 200.0 if asked.baseline else None) == pytest.approx(limit)


@pytest.mark.parametrize(
    ("comparator", "low", "high", "status"),
    [
        ("<", 90, 99, "pass"), ("<", 90, 100, "inconclusive"), ("<", 100, 110, "fail"), ("<", 90, None, "inconclusive"),
        ("<=", 90, 100, "pass"), ("<=", 90, 101, "inconclusive"), ("<=", 100, 110, "inconclusive"),
        ("<=", 101, 110, "fail"), ("<=", 101, None, "fail"),
        (">", 101, 110, "pass"), (">", 100, 110, "inconclusive"), (">", 90, 100, "fail"), (">", 101, None, "pass"),
        (">=", 100, 110, "pass"), (">=", 99, 110, "inconclusive"), (">=", 90, 100, "inconclusive"),
        (">=", 90, 99, "fail"), (">=", 90, None, "inconclusive"),
        ("<", 100, 100, "fail"), ("<=", 100, 100, "pass"), (">", 100, 100, "fail"), (">=", 100, 100, "pass"),
    ],
)  # fmt: skip
def test_the_whole_interval_decides(comparator: str, low: float, high: float | None, status: GateStatus) -> None:
    asked = parse_requirement(f"p95 {comparator} 100ms")
    assert side_of(asked, Interval(value=low, low=low, high=high), 100) == status
