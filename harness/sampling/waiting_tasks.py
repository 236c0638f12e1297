"""What coroutines wait for: the agent in each of the target's processes looks at its tasks a few times a second.

A coroutine that waits is on no thread's stack, so py-spy cannot see it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable

from harness.targets.agent_client import Agent, AgentError, AgentGoneError

_MOST_SHARE = 0.005
"""Of a core, in the target. A look at a hundred tasks takes some milliseconds."""


class TaskLooks:
    """Looks at the tasks of some processes, at a rate that is lower where it takes much CPU time."""

    def __init__(self, agents: Iterable[Agent], rate_hz: int) -> None:
        self.cost_s = 0.0
        """CPU time that looking took in the target."""
        self.problem = ""
        """Why a process could not be looked at, if there was one."""
        self._agents = list(agents)
        self._period_s = 1 / rate_hz
        self._due_s = time.monotonic()
        self._ended: set[int] = set()
        self._looks: Counter[int] = Counter()
        self._counts: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def look_until(self, until_s: float, over: threading.Event) -> None:
        """Look again and again until that moment of the monotonic clock, or until the phase is over."""
        while self._agents and self._due_s < until_s and not over.wait(max(0.0, self._due_s - time.monotonic())):
            took_s = self._look()
            self._due_s = max(self._due_s + max(self._period_s, took_s / _MOST_SHARE), time.monotonic())
        over.wait(max(0.0, until_s - time.monotonic()))

    def raw_by_pid(self, looks: float) -> dict[int, str]:
        """What was seen in each process, as py-spy would have written it after so many looks."""
        return {pid: self._raw(counts, looks / self._looks[pid]) for pid, counts in self._counts.items()}

    @staticmethod
    def _raw(counts: Counter[str], scale: float) -> str:
        return "\n".join(f"{stack} {count}" for stack, seen in counts.items() if (count := round(scale * seen)))

    def _look(self) -> float:
        """At all of them; the CPU time that this took."""
        before_s = self.cost_s
        for agent in list(self._agents):
            try:
                found = agent.waiting_tasks()
            except AgentGoneError:
                self._agents.remove(agent)
                self._ended.add(agent.pid)
                continue
            except AgentError as error:  # it may be too busy, or paused: in the next span it may not be
                self._agents.remove(agent)
                self.problem = str(error)
                continue
            self.cost_s += found.cost_s
            self._looks[agent.pid] += 1
            self._counts[agent.pid].update(found.stacks)  # without an event loop, none: it may run one a request
        for pid in self._ended:  # where nothing waits any more
            self._looks[pid] += 1
        return self.cost_s - before_s
