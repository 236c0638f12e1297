"""Arrivals come when the rate's integral says so, evenly or at random, and every worker has its share."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engine.pacing.arrivals import ArrivalPartition, RateSegment, arrival_times

rates = st.floats(min_value=0, max_value=5_000)
segments = st.lists(
    st.builds(RateSegment, rates, rates, st.floats(min_value=0.1, max_value=5)).filter(
        lambda s: 0 < s.arrivals < 3_000
    ),
    min_size=1,
    max_size=3,
)


def test_a_constant_rate_is_evenly_spaced() -> None:
    times = list(arrival_times([RateSegment(100, 100, 2)], spacing="even", seed="1"))
    assert len(times) == 200
    assert times[0] == pytest.approx(0.005)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == pytest.approx([0.01] * 199)


def test_a_ramp_from_nothing_has_half_of_its_peak_and_grows_denser() -> None:
    times = list(arrival_times([RateSegment(0, 100, 10)], spacing="even", seed="1"))
    assert len(times) == 500
    # After half the time a quarter of a triangle's area has come.
    assert sum(at_s < 5 for at_s in times) == 125


@given(segments)
def test_the_number_of_even_arrivals_is_the_integral_of_the_rate(rate_segments: list[RateSegment]) -> None:
    times = list(arrival_times(rate_segments, spacing="even", seed="1"))
    expected = sum(segment.arrivals for segment in rate_segments)
    assert abs(len(times) - expected) <= 0.5 + 1e-6 * expected
    assert times == sorted(times)
    length_s = sum(segment.duration_s for segment in rate_segments)
    assert all(0 <= at_s <= length_s * (1 + 1e-9) for at_s in times)


@given(segments, st.integers(min_value=1, max_value=5))
def test_the_workers_shares_are_together_the_whole(rate_segments: list[RateSegment], workers: int) -> None:
    def times() -> list[float]:
        return list(arrival_times(rate_segments, spacing="poisson", seed="7"))

    partitions = [list(ArrivalPartition(iter(times()), worker, workers)) for worker in range(workers)]
    assert sorted(itertools.chain.from_iterable(partitions)) == times()
    assert max(map(len, partitions)) - min(map(len, partitions)) <= 1


@given(segments, st.floats(min_value=0, max_value=20))
def test_a_worker_without_a_part_has_none_until_it_takes_over(rate_segments: list[RateSegment], cut_s: float) -> None:
    whole = list(arrival_times(rate_segments, spacing="even", seed="7"))
    idle = ArrivalPartition(iter(whole), 1, 1)
    idle.change(cut_s, 0, 1)
    assert list(idle) == [time for time in whole if time >= cut_s]
    assert list(ArrivalPartition(iter(whole), 1, 1)) == []


cuts = st.lists(st.floats(min_value=0, max_value=20), max_size=3)


@given(segments, st.integers(min_value=4, max_value=6), cuts)
def test_around_a_change_of_the_shares_no_arrival_is_used_twice_or_left_out(
    rate_segments: list[RateSegment], workers: int, given_cuts: list[float]
) -> None:
    """The last worker is lost at each cut. What it had used and what the others use is the whole."""
    whole = list(arrival_times(rate_segments, spacing="poisson", seed="7"))
    left = [ArrivalPartition(iter(whole), worker, workers) for worker in range(workers)]
    pending = [next(partition, math.inf) for partition in left]
    used: list[float] = []
    for cut_s in (*sorted(given_cuts), math.inf):
        # The announcement comes a little before the cut, and to each worker at another moment.
        for number, partition in enumerate(left):
            heard_s = cut_s - 0.1 * (number + 1)
            while pending[number] < min(heard_s, 1e9):
                used.append(pending[number])
                pending[number] = next(partition, math.inf)
        if cut_s == math.inf:
            break
        for number, partition in enumerate(left[:-1]):
            partition.change(cut_s, number, len(left) - 1)
            pending[number] = next(partition, math.inf)
        lost = left.pop()
        last_s = pending.pop()
        while last_s < cut_s:
            used.append(last_s)
            last_s = next(lost, math.inf)
    assert sorted(used) == whole


def test_poisson_gaps_vary_as_exponential_ones_do_and_repeat_with_the_seed() -> None:
    def times(seed: str) -> list[float]:
        return list(arrival_times([RateSegment(1000, 1000, 20)], spacing="poisson", seed=seed))

    first = times("a")
    gaps = [later - earlier for earlier, later in itertools.pairwise(first)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    # The standard deviation of exponential gaps is their mean; 20,000 of them tell it to within a few per cent.
    assert deviation == pytest.approx(mean, rel=0.05)
    assert len(first) == pytest.approx(20_000, rel=0.03)
    assert first == times("a")
    assert first != times("b")
