"""A stress step breaks when its ``until`` is true of the step's own requests."""

from __future__ import annotations

from harness.load.limits import FEWEST_REQUESTS, StepFigures
from harness.plan.model import Comparator, Comparison, Condition, Metric, Unit
from harness.record.histogram import Histogram
from harness.record.series import Series


def series(milliseconds: list[float], failures: int = 0) -> Series:
    histogram = Histogram.of([round(value * 1000) for value in milliseconds])
    return Series(0, 0, 0, len(milliseconds), failures, 0, histogram, histogram, Histogram.empty())


def comparison(metric: Metric, comparator: Comparator, value: float, unit: Unit) -> Comparison:
    return Comparison(
        metric=metric, comparator=comparator, value=value, unit=unit, source=f"{metric} {comparator} {value}{unit}"
    )


def until(*groups: tuple[Comparison, ...]) -> Condition:
    return Condition(any_of=groups, source="")


SLOW = comparison("p95", ">", 500, "ms")
FAILING = comparison("error_rate", ">", 1, "%")


def test_either_of_two_limits_breaks_a_step() -> None:
    either = until((SLOW,), (FAILING,))
    calm = StepFigures()
    calm.add(series([100.0] * 100))
    assert calm.breaks(either, 5) is None
    slow = StepFigures()
    slow.add(series([100.0] * 90 + [900.0] * 10))
    assert (slow.breaks(either, 5) or "").startswith("p95 > 500ms (was 900")
    failing = StepFigures()
    failing.add(series([100.0] * 100, failures=2))
    assert failing.breaks(either, 5) == "error_rate > 1% (was 2 %)"


def test_both_of_two_limits_must_be_true_where_they_are_joined() -> None:
    both = until((SLOW, FAILING))
    slow = StepFigures()
    slow.add(series([900.0] * 50))
    assert slow.breaks(both, 5) is None
    slow.add(series([900.0] * 50, failures=5))
    assert "and error_rate" in (slow.breaks(both, 5) or "")


def test_every_metric_is_read_from_the_steps_requests() -> None:
    step = StepFigures()
    step.add(series([10.0] * 50))
    step.add(series([30.0] * 50))
    cases: list[tuple[Metric, Comparator, float, Unit]] = [
        ("mean", ">=", 20, "ms"),
        ("max", ">=", 30, "ms"),
        ("p50", "<=", 10.1, "ms"),
        ("p99.9", ">", 29, "ms"),
        ("throughput", "<", 21, "/s"),
    ]
    for metric, comparator, value, unit in cases:
        assert step.breaks(until((comparison(metric, comparator, value, unit),)), 5.0) is not None, metric


def test_a_handful_of_requests_says_nothing() -> None:
    few = StepFigures()
    few.add(series([900.0] * (FEWEST_REQUESTS - 1)))
    assert few.breaks(until((SLOW,)), 5) is None
