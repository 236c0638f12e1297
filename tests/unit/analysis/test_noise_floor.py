"""What a calibration says of noise is what was put in, and the change that it names is found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.baseline_difference import against
from harness.analysis.noise_floor import noise_floors
from harness.metrics import RUN_METRICS
from harness.record.calibration import NoiseFloor
from harness.record.measurement import ALL, EndpointMeasurement, Interval, Measurement, PhaseMeasurement

WITHIN, BETWEEN = 0.02, 0.04


def measured(figures: dict[str, Interval]) -> Measurement:
    phase = PhaseMeasurement(name="steady", kind="steady", endpoints={ALL: EndpointMeasurement(figures=figures)})
    return Measurement(run_id="r", started_at="2026-02-02T00:00:00Z", scenario="s", profile="p", phases=[phase])


def runs(count: int) -> list[Measurement]:
    rng = np.random.default_rng(6)
    found = []
    for _ in range(count):
        luck = math.exp(math.hypot(WITHIN, BETWEEN) * float(rng.standard_normal()))
        p95 = Interval(
            value=100 * luck, low=100 * luck * math.exp(-1.96 * WITHIN), high=100 * luck * math.exp(1.96 * WITHIN)
        )
        found.append(measured({"p95": p95, "throughput": Interval(value=50 * luck, low=49 * luck, high=51 * luck)}))
    return found


def floor(metric: str, count: int = 200) -> NoiseFloor:
    (found,) = [one for one in noise_floors(runs(count)) if one.metric == metric]
    return found


def test_noise_between_runs_is_distinguished_from_noise_within_them() -> None:
    found = floor("p95")
    assert found.within == pytest.approx(WITHIN, rel=0.01)
    assert found.between == pytest.approx(BETWEEN, rel=0.15)


def test_the_change_that_it_names_is_found_in_95_of_100_runs() -> None:
    rng = np.random.default_rng(8)
    found, deviation = floor("p95"), math.hypot(WITHIN, BETWEEN)
    error = deviation * math.sqrt(1 + 1 / 10)
    change = math.log(1 + found.detectable) + error * rng.standard_normal(4000)
    assert np.mean(change > 1.96 * error) == pytest.approx(0.95, abs=0.03)


def test_longer_phases_buy_little_where_runs_differ_and_more_runs_much() -> None:
    found = floor("p95")
    assert 0.9 * found.detectable < found.detectable_twice_as_long < found.detectable
    assert found.detectable_pooled < 0.65 * found.detectable


def test_of_a_figure_that_should_be_high_the_limit_is_below() -> None:
    assert floor("throughput").limit == pytest.approx(1 - 1 / (1 + floor("p95").limit), rel=1e-6)


def test_few_runs_promise_less_than_many() -> None:
    assert floor("p95", 3).detectable > floor("p95").detectable


def test_a_figure_without_a_bound_or_missing_in_a_run_is_not_an_error() -> None:
    unbounded = [measured({"p95": Interval(value=value, low=0.0, high=None)}) for value in (1.0, 2.0, 3.0)]
    (found,) = noise_floors(unbounded)
    assert found.within is None
    assert noise_floors([*unbounded, measured({})]) == []


def test_no_limit_is_tighter_than_what_gates_can_show() -> None:
    """Gates take runs to differ by more than memory did here."""
    memory = [measured({"rss_max": Interval(value=22 + 0.001 * number, low=22, high=22.01)}) for number in range(5)]
    (found,) = noise_floors(memory)
    window = [Interval(value=22, low=22, high=22)] * 10
    baseline, seen = against(window[0], window, RUN_METRICS["rss_max"])
    assert seen.high is not None
    assert seen.high / baseline - 1 < found.limit < 0.05
    assert found.detectable == found.limit
    assert found.between < 0.001
