"""How a search chooses its levels, and when a step has shown whether the target holds its level."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.plan.expression import parse_limit
from harness.plan.model.phase import Phase, SearchRange, Segment
from harness.plan.search import LONGEST, PRECISION, Search, as_ran, broke
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from harness.record.journal_entries import ChosenLevel, PhaseSpan
from tests.support.endpoint_seconds import histogram_of

LIMIT = parse_limit("p95 > 100ms")
SHORTEST_S = 5


def tried(start: float, to: float, capacity: float, *, whole: bool = False) -> tuple[list[float], Search]:
    """The levels that a search tries on a target that holds up to ``capacity``."""
    search = Search(SearchRange(start=start, to=to, shortest_s=SHORTEST_S), whole=whole)
    levels = []
    while search.level is not None:
        levels.append(search.level)
        search.judged(broke=search.level > capacity)
    return levels, search


@pytest.mark.parametrize("capacity", [21.0, 150.0, 613.0, 999.0])
def test_the_bracket_closes_around_the_capacity(capacity: float) -> None:
    levels, search = tried(20, 1000, capacity)
    assert search.held is not None
    assert search.broke is not None
    assert search.held <= capacity < search.broke <= search.held * (1 + PRECISION)
    assert len(levels) <= math.log2(1000 / 20) + 6
    assert levels[:2] == [20, 40]


def test_users_are_counted_in_whole_numbers() -> None:
    levels, search = tried(2, 400, 5, whole=True)
    assert levels == [2, 4, 8, 6, 5]
    assert (search.held, search.broke) == (5, 6)


def test_a_search_that_never_breaks_ends_at_its_highest_level() -> None:
    levels, search = tried(20, 100, math.inf)
    assert levels == [20, 40, 80, 100]
    assert (search.held, search.broke) == (100, None)


def test_a_search_that_breaks_at_once_goes_no_lower() -> None:
    levels, search = tried(20, 100, 0)
    assert levels == [20]
    assert (search.held, search.broke) == (None, 20)


def seconds(*medians_ms: float, requests: int = 50, seed: int = 1) -> list[list[EndpointSecond]]:
    """A second for each median, of requests that vary by a tenth."""
    rng = np.random.default_rng(seed)
    found = []
    for median in medians_ms:
        times = histogram_of((1000 * median * rng.lognormal(sigma=0.1, size=requests)).astype(np.int64))
        found.append([EndpointSecond(0, 0, 0, requests, 0, 0, times, times, Histogram.empty())] if requests else [])
    return found


def judged(found: list[list[EndpointSecond]]) -> bool | None:
    return broke(LIMIT, SHORTEST_S, found)


def test_a_step_ends_as_soon_as_all_of_its_parts_agree() -> None:
    assert judged(seconds(*[20] * 5)) is None
    assert judged(seconds(*[20] * 6)) is False
    assert judged(seconds(*[400] * 6)) is True


def test_a_queue_that_grows_breaks_a_step_by_its_later_half() -> None:
    assert judged(seconds(20, 20, 20, 20, 200, 300)) is None
    assert judged(seconds(*[20] * 3, *[200] * 6)) is True


def test_a_level_at_the_limit_is_decided_by_the_longest_step() -> None:
    close = seconds(*[84, 87] * (LONGEST * SHORTEST_S // 2))
    assert judged(close[:-2]) is None
    assert judged(close) is not None


def test_a_target_that_does_not_respond_does_not_hold() -> None:
    assert judged(seconds(*[20] * 19, requests=0)) is None
    assert judged(seconds(*[20] * 20, requests=0)) is True


def test_few_requests_take_a_longer_step() -> None:
    assert judged(seconds(*[20] * 6, requests=5)) is None
    assert judged(seconds(*[20] * 20, requests=5)) is False


@pytest.mark.slow
def test_a_wrong_step_is_rare() -> None:
    def wrong(median_ms: float, *, breaks: bool) -> float:
        # The P95 of requests that vary by a tenth is 1.18 times their median.
        count = 0
        for seed in range(100):
            found = seconds(*[median_ms] * (LONGEST * SHORTEST_S), seed=seed)
            verdicts = (judged(found[:n]) for n in range(1, len(found) + 1))
            count += next(verdict for verdict in verdicts if verdict is not None) != breaks
        return count / 100

    assert wrong(100 / 1.18 * 0.9, breaks=False) < 0.05
    assert wrong(100 / 1.18 * 1.1, breaks=True) < 0.05


def test_a_search_as_it_ran_has_its_chosen_levels() -> None:
    planned = Phase(
        name="find", kind="search", model="open", segments=(Segment(start=20, end=90, duration_s=600),), until=LIMIT,
        search=SearchRange(start=20, to=90, shortest_s=5), description="find",
    )  # fmt: skip
    chosen = (ChosenLevel(20, counts=False), ChosenLevel(20, counts=True), ChosenLevel(0, counts=False))
    span = PhaseSpan(0, 1.0, 14.0, "done", None, (1.0, 3.0, 9.0), chosen)
    segments = as_ran(planned, span, 14.0).segments
    assert [(each.start, each.end, each.duration_s, each.counts) for each in segments] == [
        (20, 20, 2, False), (20, 20, 6, True), (0, 0, 5, False),
    ]  # fmt: skip
    killed = PhaseSpan(0, 1.0, None, None, None, (1.0, 3.0), chosen[:2])
    assert [each.counts for each in as_ran(planned, killed, 5.0).segments] == [False, False]
    assert as_ran(planned, PhaseSpan(0, 1.0, None, None, None, ()), 5.0) is planned
