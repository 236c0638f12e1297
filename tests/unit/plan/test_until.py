"""A stress step breaks when its ``until`` is true of the step's own requests."""

from __future__ import annotations

from harness.plan.expression import parse_limit, parse_requirement
from harness.plan.requirement import Condition
from harness.plan.until import FEWEST_REQUESTS, StepTotals
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from tests.support.endpoint_seconds import histogram_of


def series(milliseconds: list[float], failures: int = 0) -> EndpointSecond:
    histogram = histogram_of([round(value * 1000) for value in milliseconds])
    return EndpointSecond(0, 0, 0, len(milliseconds), failures, 0, histogram, histogram, Histogram.empty())


def test_either_of_two_limits_breaks_a_step() -> None:
    either = parse_limit("p95 > 500ms or error_rate > 1%")
    calm = StepTotals()
    calm.add(series([100.0] * 100))
    assert calm.breaks(either, 5) is None
    slow = StepTotals()
    slow.add(series([100.0] * 90 + [900.0] * 10))
    assert (slow.breaks(either, 5) or "").startswith("p95 > 500ms (was 900")
    failing = StepTotals()
    failing.add(series([100.0] * 100, failures=2))
    assert failing.breaks(either, 5) == "error_rate > 1% (was 2 %)"


def test_both_of_two_limits_must_be_true_where_they_are_joined() -> None:
    both = parse_limit("p95 > 500ms and error_rate > 1%")
    slow = StepTotals()
    slow.add(series([900.0] * 50))
    assert slow.breaks(both, 5) is None
    slow.add(series([900.0] * 50, failures=5))
    assert "and error_rate" in (slow.breaks(both, 5) or "")


def test_every_metric_is_read_from_the_steps_requests() -> None:
    step = StepTotals()
    step.add(series([10.0] * 50))
    step.add(series([30.0] * 50))
    for text in ("mean >= 20ms", "max >= 30ms", "p50 <= 10.1ms", "p99.9 > 29ms", "throughput < 21/s"):
        # A profile may hold no limit that is true before any load, as the third is.
        limit = Condition(any_of=((parse_requirement(text),),), source=text)
        assert step.breaks(limit, 5.0) is not None, text


def test_a_handful_of_requests_shows_nothing() -> None:
    few = StepTotals()
    few.add(series([900.0] * (FEWEST_REQUESTS - 1)))
    assert few.breaks(parse_limit("p95 > 500ms"), 5) is None
