"""Which requests are traced: a share of them at random, at low rates more, and as many in every place."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from harness.engine import random_gaps
from harness.engine.http.tracing import RequestSampler
from harness.record.traced_requests import trace_of


def picked(sampler: RequestSampler, requests: int) -> list[bool]:
    return [sampler.pick() is not None for _ in range(requests)]


class Clock:
    """A clock that goes on by a request with each reading of the sampler's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(random_gaps, "perf_counter", lambda: self.now_s)

    def picked(self, sampler: RequestSampler, requests: int, rate: float) -> int:
        count = 0
        for _ in range(requests):
            self.now_s += 1 / rate
            count += sampler.pick() is not None
        return count


def test_none_all_or_a_share_is_picked() -> None:
    sampler = RequestSampler()
    assert not any(picked(sampler, 1_000))
    sampler.change(1.0)
    assert all(picked(sampler, 1_000))
    sampler.change(0.05)
    assert 0 < sum(picked(sampler, 40_000)) / 40_000 < 0.06
    sampler.change(0.0)
    assert not any(picked(sampler, 1_000))


@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [(2_000, 0.0015, 0.004), (60, 0.04, 0.06), (10, 0.15, 0.3), (4, 0.35, 0.75), (1, 0.95, 1)],
)
def test_at_least_two_and_at_most_five_a_second_are_picked(
    monkeypatch: pytest.MonkeyPatch, rate: float, low: float, high: float
) -> None:
    clock, sampler = Clock(monkeypatch), RequestSampler()
    sampler.change(0.05)
    assert low <= clock.picked(sampler, 40_000, rate) / 40_000 <= high


def test_each_request_of_an_iteration_is_picked_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sampler = Clock(monkeypatch), RequestSampler()
    sampler.change(0.05)
    places = Counter(at % 4 for at in range(80_000) if clock.picked(sampler, 1, rate=80))
    assert set(places) == {0, 1, 2, 3}
    assert max(places.values()) < 1.3 * min(places.values())


def test_each_has_a_trace_of_its_own() -> None:
    sampler = RequestSampler()
    sampler.change(1.0)
    headers = [sampler.pick() for _ in range(100)]
    assert len({trace_of(header) for header in headers}) == 100


@pytest.mark.parametrize(
    "header", [None, 7, "", "00-" + "a" * 52, f"00-{'ab' * 16}-{'cd' * 8}-01", f"00-{'zz' * 16}-{'zz' * 8}-01"]
)
def test_another_header_has_no_trace(header: Any) -> None:
    assert trace_of(header) is None
