"""Which task comes next: dealt from a shuffled deck, so that tasks get the shares their weights declare.

Locust draws each task by itself (``random.choice``). Over 10,000 iterations a task of 5 % is then, one run in three,
off by more than 4 % of its share, and two runs of one scenario differ by what they were made of. A deck holds every
place of the task list equally often and is dealt out in random order before it is shuffled again: the order is as
random, the shares are kept.

A deck is shared by all users of a class in a worker, so what a user gets does not depend on how many there are, and no
two follow each other. It deals *places* of the list, not tasks: a list that the scenario changes while it runs is
heeded at once. A list has a task as many times as its weight says (that is Locust's way), one beside the other; of one
longer than :data:`MOST_CARDS` a deck holds a random place of each of so many equal stretches (stratified sampling,
Cochran 1977, ch. 5), so a sum of weights in the millions costs no more memory than one of a thousand, and a task's
count in a deck is still never more than 1 off at either end of its stretch.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

FEWEST_CARDS = 100
"""Short lists are put in several times: a deck of two cards would deal hardly anything but turn and turn about."""
MOST_CARDS = 1000


class TaskShuffler:
    """Deals the places ``0 … places - 1`` of a task list."""

    def __init__(self, places: int, seed: str) -> None:
        self._places = places
        self._random = random.Random(seed)
        self._cards: list[int] = []

    def next_place(self) -> int:
        """The next card; a new deck where none is left."""
        cards = self._cards or self._new_cards()
        # Drawn as it goes: shuffling all cards at once would hold up every user for a moment.
        at = int(self._random.random() * len(cards))
        cards[at], cards[-1] = cards[-1], cards[at]
        return cards.pop()

    def _new_cards(self) -> list[int]:
        places, draw = self._places, self._random.random
        if places <= MOST_CARDS:
            self._cards = list(range(places)) * max(1, FEWEST_CARDS // places)
        else:
            stretch = places / MOST_CARDS
            self._cards = [min(int((number + draw()) * stretch), places - 1) for number in range(MOST_CARDS)]
        return self._cards


class TaskShufflers:
    """One worker's decks, by class and length of its task list: both stay the same however often users come and go."""

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
