"""Tasks are dealt by their weights, in random order, whatever the list: long, short, changed while users run."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import pairwise

import pytest

from harness.engine.pacing.task_shuffler import MAX_PLACES, MIN_PLACES, TaskShufflers


class Owner:
    """A class of users."""


class Other:
    """Another."""


def dealt(tasks: list[str], count: int, seed: str = "1:0") -> list[str]:
    shufflers = TaskShufflers(seed)
    return [shufflers.next_of(tasks, Owner) for _ in range(count)]


@pytest.mark.parametrize(
    "weights",
    [{"a": 1}, {"a": 1, "b": 1}, {"a": 80, "b": 15, "c": 5}, {"a": 1, "b": 2, "c": 4}, {"a": 700, "b": 299, "c": 1}],
)
def test_shares_are_the_weights_over_ten_thousand(weights: dict[str, int]) -> None:
    tasks = [task for task, weight in weights.items() for _ in range(weight)]
    counts = Counter(dealt(tasks, 10_000))
    for task, weight in weights.items():
        assert counts[task] / 10_000 == pytest.approx(weight / len(tasks), abs=0.001)


def test_every_place_comes_equally_often() -> None:
    tasks = ["a"] * 80 + ["b"] * 15 + ["c"] * 5
    assert Counter(dealt(tasks, 100)) == Counter(tasks)
    assert Counter(dealt(["a", "b"], MIN_PLACES)) == {"a": MIN_PLACES // 2, "b": MIN_PLACES // 2}


def test_weights_in_the_millions_keep_their_shares_and_cost_no_memory() -> None:
    tasks = ["a"] * 900_001 + ["b"] * 99_998 + ["c"] * 1
    shufflers = TaskShufflers("1:0")
    tracemalloc.start()
    counts = Counter(shufflers.next_of(tasks, Owner) for _ in range(10_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts["a"] == pytest.approx(9000, abs=10)
    assert counts["c"] <= 1
    assert peak < 100 * MAX_PLACES


def test_the_order_is_random_seeded_and_another_for_each_worker_and_class() -> None:
    tasks = ["a", "b"]
    first = dealt(tasks, 1000)
    assert first == dealt(tasks, 1000)
    assert first != dealt(tasks, 1000, seed="1:1")
    # Neither turn and turn about nor in runs: a task follows itself about every second time.
    assert sum(one == two for one, two in pairwise(first)) == pytest.approx(500, abs=60)
    shufflers = TaskShufflers("1:0")
    assert [shufflers.next_of(tasks, Owner) for _ in range(100)] != [
        shufflers.next_of(tasks, Other) for _ in range(100)
    ]


def test_a_list_that_changes_is_heeded_at_once() -> None:
    shufflers = TaskShufflers("1:0")
    tasks = ["a", "b"]
    shufflers.next_of(tasks, Owner)
    tasks[:] = ["c", "d"]
    assert {shufflers.next_of(tasks, Owner) for _ in range(50)} == {"c", "d"}
    tasks.append("e")
    assert {shufflers.next_of(tasks, Owner) for _ in range(50)} == {"c", "d", "e"}
    del tasks[1:]
    assert shufflers.next_of(tasks, Owner) == "c"
