"""Registers workers before the run: accepts or rejects remote machines, knows who is missing.

A local worker simply joins. A remote machine first asks to join. It is sent the scenario, the plan and a number for
each of its workers, or is rejected with the reason. If it leaves before its workers have joined, its numbers are free
again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.cluster import messages
from harness.cluster.bundle import Bundle
from harness.cluster.joining import differences, loopback, versions
from harness.engine import setup_data
from harness.engine.locust.runners import LoadMasterRunner
from harness.messages import Message, Option, message
from harness.plan.hosts import is_loopback
from harness.plan.model.run import RunPlan

_LONGEST_NAME = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegisteredWorker:
    """A worker that has joined. ``clock_ms``: how far its run clock is off the master's, and the bound of that."""

    index: int
    host: str
    clock_ms: tuple[float, float]


class WorkerRegistry:
    """Local workers have the first numbers, remote ones the rest. ``say`` shows people a message."""

    def __init__(
        self,
        runner: LoadMasterRunner,
        plan: RunPlan,
        target: str,
        bundle: Bundle | None,
        say: Callable[[Message], None],
    ) -> None:
        self._runner = runner
        self._plan = plan
        self._target = target
        self._bundle = bundle
        self._say = say
        self._free = set(range(plan.workers, plan.all_workers))
        self._machines: dict[str, tuple[str, set[int]]] = {}
        """By the connection that asked to join: the machine's name and its workers' numbers."""
        self.workers: dict[str, RegisteredWorker] = {}
        """By Locust's id of the worker."""
        self.failure: Message | None = None
        """Why the run cannot begin: a local worker has failed."""
        self.open = True
        """Whether workers may still join."""
        runner.register_message(messages.JOIN, self._on_join_request)
        runner.register_message(messages.JOINED, self._on_joined)

    @property
    def complete(self) -> bool:
        return len(self.workers) >= self._plan.all_workers

    def close_registration(self) -> dict[str, RegisteredWorker]:
        """The members in the order of their numbers, which are 0, 1, … when all have joined. No more may join then."""
        self.open = False
        self.workers = dict(sorted(self.workers.items(), key=lambda item: item[1].index))
        return self.workers

    def count(self) -> Message:
        """How many workers have joined."""
        return message("workers-joined", joined=len(self.workers), expected=self._plan.all_workers)

    def describe(self, worker: str) -> str:
        """The number of the worker with that ID, or the ID if it is unknown."""
        return str(self.workers[worker].index) if worker in self.workers else worker

    def worker_at(self, index: int) -> str | None:
        """The id of the worker with that number; None where it has not joined."""
        return next((worker for worker, joined in self.workers.items() if joined.index == index), None)

    def failed(self, index: int, reason: Message) -> None:
        """A worker has ended before the run began."""
        worker = self.worker_at(index)
        if worker is not None:
            del self.workers[worker]
            self._runner.forget_users_of(worker)  # Locust would give it users, and wait for it
        if index < self._plan.workers:
            self.failure = message("worker-ended-before-start", worker=index, reason=reason)
            return
        host = next((host for host, numbers in self._machines.values() if index in numbers), "another machine")
        self._say(message("remote-worker-ended", host=host, reason=reason, count=self.count()))
        for _, numbers in self._machines.values():
            numbers.discard(index)
        self._free.add(index)

    def reap_disconnected(self) -> None:
        """Free the numbers of machines whose connection was lost."""
        for machine, (_, numbers) in list(self._machines.items()):
            if not self._runner.is_there(machine):
                del self._machines[machine]
                for index in numbers:
                    self.failed(index, message("worker-disconnected"))

    def _on_join_request(self, msg: Any, **_: Any) -> None:
        machine, data = msg.node_id, msg.data
        host = str(data["host"])[:_LONGEST_NAME]
        rejection, warnings = self._judge(data)
        if rejection is not None:
            logger.info("rejected %s: %s", host, rejection)
            self._say(message("join-rejected-host", host=host, reason=rejection))
            self._runner.send_message(messages.REJECTED, {"reason": rejection.to_data()}, client_id=machine)
            return
        assert self._bundle is not None
        given = sorted(self._free)[: data["workers"]]
        self._free -= set(given)
        self._machines[machine] = (host, set(given))
        for warning in warnings:
            self._say(message("remote-version-differs", host=host, difference=warning))
        self._runner.send_message(
            messages.ACCEPTED,
            {
                "indexes": given,
                "plan": self._plan.model_dump_json(),
                "target": self._target,
                "scenario": self._bundle.scenario,
                "files": self._bundle.files,
                "data": setup_data.setup_data(),
                "warnings": [warning.to_data() for warning in warnings],
            },
            client_id=machine,
        )

    def _judge(self, data: dict[str, Any]) -> tuple[Message | None, list[Message]]:
        """Why that machine may not join (None: it may), and what to warn of."""
        rejected, warned = differences(versions(), data["versions"])
        if rejected:
            return message("join-versions-differ", differences=rejected), []
        if self._bundle is None:
            return message("join-local-run"), []
        if not self.open:
            return message("join-too-late"), []
        if data["workers"] > len(self._free):
            return message("join-too-many-workers", free=len(self._free), offered=int(data["workers"])), []
        if is_loopback(self._target) and data["loopback"] != loopback():
            return message("join-target-on-loopback", target=self._target, option=Option("host")), []
        return None, warned

    def _on_joined(self, msg: Any, **_: Any) -> None:
        data = msg.data
        self.workers[msg.node_id] = RegisteredWorker(data["index"], data["host"], tuple(data["clock_ms"]))
        if self._plan.remote_workers:
            error_ms, bound_ms = data["clock_ms"]
            who = {"worker": data["index"], "host": data["host"]}
            self._say(message("worker-joined", **who, clock_ms=abs(error_ms) + bound_ms, count=self.count()))
