"""The outcomes of a comparison: what an interval means for a margin, and which changes are certain among many."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from harness.analysis.compared_figure import Figure
from harness.analysis.equivalence import chances, outcome_of, stand_together
from harness.analysis.settling_comparisons import Evidence, settling
from harness.metrics import BENCH_METRICS, RUN_METRICS
from harness.metrics.metric import Metric
from harness.record.comparison import Outcome
from harness.record.measurement import EndpointMeasurement, Interval

TRIALS = 400


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.20, -0.10, "better"), (-0.20, 0.00, "not worse"), (-0.20, 0.05, "not worse"), (0.01, 0.05, "not worse"),
        (-0.01, 0.06, "inconclusive"), (0.00, 0.06, "inconclusive"), (-0.90, None, "inconclusive"),
        (0.01, 0.06, "worse"), (0.06, 0.10, "worse"), (0.06, None, "worse"),
    ],
)  # fmt: skip
def test_the_bad_end_of_the_interval_is_held_against_the_margin(
    low: float, high: float | None, outcome: Outcome
) -> None:
    assert outcome_of((low, high), 0.05, is_worse=True, is_better=True) == outcome


def test_a_change_that_chance_explains_is_neither_worse_nor_better() -> None:
    assert outcome_of((0.06, 0.10), 0.05, is_worse=False, is_better=True) == "inconclusive"
    assert outcome_of((-0.20, -0.10), 0.05, is_worse=True, is_better=False) == "not worse"


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("degrees", [3.0, 30.0])
def test_an_interval_that_touches_no_change_has_a_chance_of_1_in_40(degrees: float, *, relative: bool) -> None:
    change, high = (1.1 - 1, 1.1**2 - 1) if relative else (0.1, 0.2)
    grew, shrank = chances(change, (0.0, high), degrees, relative=relative)
    assert grew == pytest.approx(0.025)
    assert shrank == pytest.approx(0.975)


def test_an_exact_change_is_certain_and_an_unbounded_one_shows_nothing() -> None:
    assert chances(0.01, (0.01, 0.01), 10, relative=True) == (0.0, 1.0)
    assert chances(0.0, (0.0, 0.0), 10, relative=True) == (1.0, 1.0)
    grew, shrank = chances(0.5, (-1.0, None), 10, relative=True)
    assert grew == shrank == pytest.approx(0.5)
    assert chances(-1.0, (-1.0, 0.2), 10, relative=True)[0] == 1.0


def test_among_many_unchanged_figures_a_false_alarm_stays_rare() -> None:
    rng = np.random.default_rng(11)
    alarms = sum(any(stand_together(rng.uniform(size=60).tolist(), [True] * 6 + [False] * 54)) for _ in range(TRIALS))
    alone = sum(bool((rng.uniform(size=60) < 0.025).any()) for _ in range(TRIALS))
    assert alarms / TRIALS < 0.05
    assert alone / TRIALS > 0.6


def test_a_clear_change_is_found_among_many_unchanged_figures() -> None:
    unchanged = np.random.default_rng(3).uniform(0.05, 1, size=59).tolist()
    others = [False] * 59
    assert stand_together([1e-5, *unchanged], [False, *others]) == [True, *others]
    assert stand_together([0.002, *unchanged], [False, *others])[0] is False
    assert stand_together([0.002, *unchanged], [True, *others])[0] is True
    assert stand_together([0.002, *unchanged], [True] * 60)[0] is False
    assert stand_together([], []) == []


def test_which_figures_stand_is_as_scipy_adjusts_their_chances() -> None:
    from scipy.stats import false_discovery_control  # here: it takes 0.7 s of CPU to import

    rng = np.random.default_rng(2)
    for _ in range(50):
        chances = np.round(rng.uniform(size=20) ** 4, 3)
        stands = stand_together(chances.tolist(), [True] * 20)
        assert stands == (false_discovery_control(chances) <= 0.025).tolist()


MARGIN = math.log(1.05)


@pytest.mark.parametrize("change", [-0.03, 0.0, 0.01, 0.04, 0.2])
def test_the_time_that_would_settle_a_figure_settles_it(change: float) -> None:
    at, half = math.log1p(change), 0.15
    found = settling(at, at - half, at + half, MARGIN, Evidence(1, 1, 60, between=0.01), by_time=True)
    if half < max(at, MARGIN - at):
        return
    assert found is not None
    assert found.code == "compare-settle-longer"
    needed = found.params["needed"]
    assert isinstance(needed, int)
    within = math.sqrt(half**2 - 0.01**2)
    then = math.hypot(within * math.sqrt(60 / needed), 0.01)
    assert then <= max(at, MARGIN - at)
    assert needed > 60


def test_what_differs_between_runs_takes_more_runs_to_settle() -> None:
    def code(half: float, between: float, runs: int, *, by_time: bool = True) -> str | None:
        found = settling(0.0, -half, half, MARGIN, Evidence(runs, runs, 60, between), by_time=by_time)
        return None if found is None else found.code

    assert code(0.1, 0.06, 1) == "compare-settle-runs"
    assert code(0.1, 0.01, 3) == "compare-settle-runs"
    assert code(0.1, 0.01, 1, by_time=False) == "compare-settle-runs"
    assert code(2.0, 0.01, 1) is None
    assert code(math.inf, 0.01, 1) == "compare-settle-requests"


def compared(metric: Metric[Any], before: float, after: float, reach: float) -> Figure:
    sides = [
        EndpointMeasurement(
            figures={metric.name: Interval(value=value, low=max(0.0, value - reach), high=value + reach)}
        )
        for value in (before, after)
    ]
    found = Figure.of("phase", "endpoint", metric, [sides[0]], [sides[1]])
    assert found is not None
    return found


def test_a_figure_that_fell_to_zero_has_certainly_changed() -> None:
    """``chances`` are those of "it is not worse" and "it is not better"."""
    assert compared(BENCH_METRICS["allocations"], 50, 0, 0).chances == (1.0, 0.0)
    assert compared(RUN_METRICS["throughput"], 50, 0, 0.5).chances[0] < 0.001
    assert compared(RUN_METRICS["throughput"], 50, 0, 80).chances[0] > 0.025
