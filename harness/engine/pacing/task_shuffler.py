"""Chooses tasks from a shuffled list, so that their shares match their weights exactly.

Locust draws each task independently (``random.choice``). In one of three runs of 10,000 iterations, a task of 5 % is
then off by more than 4 % of its share, and two runs of a scenario differ in their mix. A shuffled list contains every
place of the task list equally often and is used up in random order before it is shuffled again: the order is as random,
and the shares are exact.

All users of a class in a worker share one shuffled list, so the mix does not depend on the number of users. It contains
*places* of the task list, not tasks, so a change that the scenario makes to the list applies at once. Locust repeats a
task in its list by its weight, side by side. Of a list longer than :data:`MAX_PLACES`, one random place of each of that
many equal strata is taken (stratified sampling, Cochran 1977, ch. 5). So weights in the millions cost no more memory,
and a task's count is off by at most 1 at either end of its range.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

MIN_PLACES = 100
"""Short lists are repeated: with only two places, tasks would almost alternate."""
MAX_PLACES = 1000


class TaskShuffler:
    """Shuffles the places ``0 … places - 1`` of a task list."""

    def __init__(self, places: int, seed: str) -> None:
        self._places = places
        self._random = random.Random(seed)
        self._left: list[int] = []

    def next_place(self) -> int:
        """The next place; shuffles again if none is left."""
        left = self._left or self._refill()
        # Drawn one by one: shuffling all at once would delay every user for a moment.
        at = int(self._random.random() * len(left))
        left[at], left[-1] = left[-1], left[at]
        return left.pop()

    def _refill(self) -> list[int]:
        places, draw = self._places, self._random.random
        if places <= MAX_PLACES:
            self._left = list(range(places)) * max(1, MIN_PLACES // places)
        else:
            stratum = places / MAX_PLACES
            self._left = [min(int((number + draw()) * stratum), places - 1) for number in range(MAX_PLACES)]
        return self._left


class TaskShufflers:
    """One worker's shufflers, by class and length of its task list, which both outlive single users."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._shufflers: dict[tuple[type, int], TaskShuffler] = {}

    def next_of(self, tasks: Sequence[Any], owner: type) -> Any:
        """The task of ``tasks`` (not empty) that the next user of class ``owner`` runs."""
        if len(tasks) == 1:
            return tasks[0]
        key = (owner, len(tasks))
        shuffler = self._shufflers.get(key)
        if shuffler is None:
            shuffler = self._shufflers[key] = TaskShuffler(
                len(tasks), f"{self._seed}:{owner.__module__}.{owner.__qualname__}:{key[1]}"
            )
        return tasks[shuffler.next_place()]
