"""What would settle a gate, found by the gate's own rule."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.settling_gates import MOST_RUNS, detectable, settling
from harness.gates.requirement import judge
from harness.plan.expression import parse_requirement
from harness.record.measurement import Interval


def around(value: float, noise: float) -> Interval:
    return Interval(value=value, low=value * (1 - noise), high=value * (1 + noise))


def settled(require: str, observed: Interval, *baselines: Interval) -> tuple[float | None, int | None]:
    gate = parse_requirement(require)
    assert judge(gate, observed, baselines).status == "inconclusive"
    found = settling(observed, baselines, lambda *given: judge(gate, *given).status != "inconclusive")
    return found.times_longer, found.baseline_runs


def test_a_distance_of_half_the_interval_takes_four_times_as_long() -> None:
    longer, runs = settled("p95 < 105ms", around(100, 0.1))
    assert longer == pytest.approx(4)
    assert runs is None


def test_a_figure_at_its_limit_is_settled_by_nothing() -> None:
    assert settled("p95 < 100ms", around(100, 0.1)) == (None, None)


def test_noise_between_runs_is_settled_by_runs_and_not_by_time() -> None:
    longer, runs = settled("p95 <= baseline + 10%", around(120, 0.01), around(100, 0.01))
    assert (longer, runs) == (None, 3)


def test_noise_within_a_run_is_settled_by_time_and_not_by_runs() -> None:
    longer, runs = settled("p95 <= baseline + 10%", around(102, 0.1), *[around(100, 0.01)] * 3)
    assert runs is None
    assert longer is not None
    assert 2 < longer < 20


def test_runs_that_differ_settle_nothing() -> None:
    _, runs = settled("p95 <= baseline + 10%", around(112, 0.01), around(80, 0.01), around(120, 0.01))
    assert runs is None or runs > MOST_RUNS / 2


def test_the_smallest_detectable_figure_fails_and_a_smaller_one_does_not() -> None:
    gate, observed = parse_requirement("cpu_per_request <= baseline + 5%"), around(5.1, 0.02)
    found = judge(gate, observed, [around(5, 0.02)])
    # It would have to fail even with so few runs in the baseline.
    found = judge(gate, around(6.0, 0.02), [around(5, 0.02)])
    assert found.few_runs
    least = detectable(found.observed, found.limit, upper=True)
    assert least is not None
    assert judge(gate, around(least * 1.001, 0.02), [around(5, 0.02)]).status == "fail"
    assert judge(gate, around(least * 0.99, 0.02), [around(5, 0.02)]).status == "inconclusive"


@pytest.mark.parametrize(
    ("require", "change", "runs", "status"),
    [
        ("p95 <= baseline + 10%", 1.3, 1, "inconclusive"),
        ("p95 <= baseline + 10%", 1.3, 2, "inconclusive"),
        ("p95 <= baseline + 10%", 1.3, 3, "fail"),
        ("p95 <= baseline + 10%", 1.6, 1, "fail"),
        ("p95 <= baseline + 10%", 1.0, 1, "pass"),
        ("cpu_per_request <= baseline + 5%", 1.25, 1, "fail"),
        ("cpu_per_request <= baseline + 5%", 1.15, 1, "inconclusive"),
        ("throughput >= baseline - 5%", 0.85, 1, "fail"),
    ],
)
def test_one_baseline_run_fails_only_what_is_a_change_on_any_machine(
    require: str, change: float, runs: int, status: str
) -> None:
    found = judge(parse_requirement(require), around(100 * change, 0.01), [around(100, 0.01)] * runs)
    assert found.status == status
    assert found.few_runs == (status == "inconclusive")


def test_a_comparison_with_enough_runs_fails_only_what_is_sure() -> None:
    gate = parse_requirement("cpu_per_request <= baseline + 5%")
    runs = [around(5 * change, 0.01) for change in (0.97, 1.0, 1.03, 0.98, 1.02)]
    statuses: list[str] = []
    for percent in range(5, 40):
        found = judge(gate, around(5 * (1 + percent / 100), 0.01), runs)
        statuses.append(found.status)
        if found.status == "inconclusive" and found.observed.low > found.limit:
            assert not found.few_runs
            assert found.surer is not None
            assert found.surer.low < found.limit
            statuses[-1] = "unsure"
    assert list(dict.fromkeys(statuses)) == ["inconclusive", "unsure", "fail"]


def test_an_unchanged_build_on_a_machine_that_is_much_noisier_than_the_limit_seldom_fails() -> None:
    gate, rng = parse_requirement("mean <= baseline + 5%"), np.random.default_rng(1)
    nights = [around(100 * math.exp(rng.normal(0, 0.1)), 0.02) for _ in range(2000)]
    failed = sum(judge(gate, nights[at], nights[at - 10 : at]).status == "fail" for at in range(10, len(nights)))
    assert failed <= 20
