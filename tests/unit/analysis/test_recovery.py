"""How long a target took to recover, by seconds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.recovery import HOLD_S, Recovery, as_before, recovery
from harness.metrics.aggregate import Aggregate
from harness.plan.expression import parse_requirement
from harness.plan.requirement import Condition
from harness.record.histogram import Histogram, buckets_of

FEW_ERRORS = 'recovery_time(error_rate < 1%) < 10s after "x"'


def condition(text: str) -> Condition:
    found = parse_requirement(text).recovered
    assert found is not None
    return found


def second(requests: int = 400, failures: int = 0, ms: float = 20.0) -> Aggregate:
    indices, counts = np.unique(buckets_of(np.full(requests, round(1000 * ms))), return_counts=True)
    times = Histogram(indices, counts, round(1000 * ms) * requests, round(1000 * ms) if requests else 0)
    return Aggregate(requests, requests, failures, times, 1.0)


def after(seconds: list[Aggregate], text: str = FEW_ERRORS, *, end_s: float = 9.5) -> Recovery:
    """The fault ended at ``end_s``; ``seconds`` are those from 10 on."""
    return recovery(condition(text), seconds, 10, end_s)


def test_it_ends_where_the_condition_holds_again() -> None:
    found = after([second(failures=400)] * 4 + [second()] * 10)
    assert found.recovered
    assert (found.took.low, found.took.value, found.took.high) == (3.5, 4.5, 4.5)


def test_a_target_that_was_never_away_recovers_at_once() -> None:
    found = after([second()] * 10)
    assert (found.took.low, found.took.value, found.took.high) == (0.0, 0.5, 0.5)


def test_the_condition_has_to_hold_for_a_while() -> None:
    """A single good second among bad ones, as a circuit breaker that lets a request through, is no recovery."""
    bad, good = second(failures=400), second()
    found = after([bad, bad, good, bad, good, bad, good, good, good, good])
    assert found.took.value == 6.5


def test_slow_responses_are_not_a_recovery() -> None:
    text = "recovery_time(error_rate < 1% and p95 < 100ms) < 10s after 'x'"
    found = after([second(ms=800.0)] * 3 + [second()] * 5, text)
    assert found.took.value == 3.5


def test_a_target_that_does_not_respond_has_not_recovered() -> None:
    found = after([second(requests=0)] * 5 + [second()] * 5)
    assert (found.took.low, found.took.value) == (4.5, 5.5)


def test_one_that_stays_away_was_seen_to_for_as_long_as_it_was_watched() -> None:
    found = after([second(failures=400)] * 12)
    assert not found.recovered
    assert (found.took.low, found.took.value, found.took.high) == (9.5, 10.5, None)


def test_the_recovery_of_a_target_that_was_not_watched_is_unknown() -> None:
    found = after([second()] * (HOLD_S - 1))
    assert not found.recovered
    assert (found.took.low, found.took.high) == (0.0, None)


@pytest.mark.parametrize(("seconds", "certain"), [(3, False), (10, False), (60, True)])
def test_few_requests_are_certain_only_together(seconds: int, certain: bool) -> None:
    """380 requests without a failure show an error rate below 1 %: a minute of 10 a second does, 10 s do not."""
    found = after([second(requests=10)] * seconds)
    assert found.recovered
    assert (found.took.high is not None) == certain


def test_a_few_failures_leave_open_when_it_recovered() -> None:
    """Four of 400 requests in each of three seconds are at the limit of 1 %, and may be above or below it."""
    found = after([second(failures=400)] * 2 + [second(failures=6)] * 3 + [second()] * 10)
    assert found.took.low < found.took.value == found.took.high


@given(st.lists(st.booleans(), min_size=HOLD_S, max_size=40))
def test_it_is_the_first_good_while_of_any_course(good: list[bool]) -> None:
    found = after([second(failures=0 if each else 400) for each in good])
    begins = [at for at in range(len(good) - HOLD_S + 1) if all(good[at : at + HOLD_S])]
    assert found.recovered == bool(begins)
    expected = begins[0] if begins else len(good) - HOLD_S + 1
    assert found.took.value == expected + 0.5
    assert found.took.low <= found.took.value <= (found.took.high or np.inf)
    # One second of three that fails is a third of all requests: nothing is in doubt.
    assert found.took.low == pytest.approx(max(0.0, expected - 0.5) if expected else 0.0)


def test_recovered_means_no_worse_than_the_worst_seconds_before() -> None:
    calm = [second(), second(), second(failures=8), second(failures=8), second(failures=8), second(ms=30.0)]
    found = as_before(calm)
    assert found is not None
    [[errors, p95]] = found.any_of
    assert (errors.metric, errors.value, p95.metric) == ("error_rate", 4.0, "p95")
    assert p95.value == pytest.approx(45, rel=0.02)


def test_nothing_is_as_before_where_nothing_was() -> None:
    assert as_before([]) is None
    assert as_before([second(requests=0)] * 10) is None
