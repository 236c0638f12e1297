"""Deals the rows of feeders to load workers, so that no two get the same.

A worker asks for a range of positions before it has used up the last one, so that users do not wait. Ranges are short
where few rows are left: rows that a worker has been dealt and does not use, nobody else gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from harness.cluster import messages
from harness.engine.feeder import Feeder
from harness.engine.locust.runners import LoadMasterRunner, LoadWorkerRunner
from harness.messages import Message
from harness.plan.model.run import RunPlan
from harness.plan.model.scenario import FeederSource

_SHARE = 4
"""A range has at most this part of what each worker would get of the rest."""
_LONGEST = 100_000


class Dealer:
    """The master's side: the next position of each feeder, for each target of a duet by itself."""

    def __init__(self, runner: LoadMasterRunner, plan: RunPlan) -> None:
        self._runner = runner
        self._plan = plan
        self._next: dict[tuple[int, int], int] = {}
        """By target and feeder."""
        runner.register_message(messages.DEAL, self._on_deal)

    def _on_deal(self, msg: Any, **_: Any) -> None:
        number, target = int(msg.data["feeder"]), self._plan.target_of(int(msg.data["index"]))
        begin, end = self.deal(target, number, int(msg.data["count"]))
        self._runner.send_message(messages.DEALT, {"feeder": number, "range": [begin, end]}, client_id=msg.node_id)

    def deal(self, target: int, number: int, count: int) -> tuple[int, int]:
        """The positions of feeder ``number`` for a worker of this target that would like ``count``; empty: none left.

        Raises ``LookupError`` if there is no such feeder.
        """
        source: FeederSource = self._plan.scenario.feeders[number]
        begin = self._next.get((target, number), 0)
        workers = max(1, self._plan.all_workers // len(self._plan.targets))
        count = max(1, min(count, _LONGEST))
        if not source.recycles:
            left = source.rows - begin
            count = min(left, count, max(1, left // (_SHARE * workers)))
        self._next[target, number] = begin + count
        return begin, begin + count


def feed_worker(runner: LoadWorkerRunner, index: int, seed: str, feeders: Sequence[Feeder]) -> None:
    """The worker's side: have the feeders ask the master, and end the run if one is exhausted."""

    def ask_for(number: int, count: int) -> None:
        runner.send_message(messages.DEAL, {"index": index, "feeder": number, "count": count})

    def stop(reason: Message) -> None:
        runner.send_message(messages.QUIT, {"reason": reason.to_data()})

    def on_dealt(msg: Any, **_: Any) -> None:
        feeders[msg.data["feeder"]].deal(*msg.data["range"])

    runner.register_message(messages.DEALT, on_dealt)
    for number, feeder in enumerate(feeders):
        feeder.feed(f"{seed}:{number}", partial(ask_for, number), stop)
