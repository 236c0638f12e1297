"""Runs a plan's phases: announces them, controls the users, judges stress steps."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import gevent
from locust.env import Environment

from harness.cluster import messages
from harness.engine.locust.runners import LoadMasterRunner
from harness.engine.locust.user_dispatch import assume_users, is_dispatching
from harness.engine.run_state import RunState
from harness.engine.search_steps import LEAD_S, SearchSteps
from harness.messages import message
from harness.plan.model.phase import EVERY, Phase, Segment
from harness.plan.model.run import RunPlan
from harness.plan.until import StepTotals
from harness.record.endpoint_second import EndpointSecond
from harness.record.journal_entries import PhaseEndReason
from harness.record.second_table import SecondTable

LAST_SECOND_S = 1.5
"""How long the last stress step continues until its last second has been reported and judged."""
TAKE_OVER_S = 0.5
"""How long after the announcement workers take over a lost one's arrivals: all at one moment, known to all."""

logger = logging.getLogger(__name__)


class PhaseRunner:
    """Runs the phases of ``plan`` over ``workers``, a list that its owner changes when one is lost."""

    def __init__(
        self,
        plan: RunPlan,
        environment: Environment,
        runner: LoadMasterRunner,
        run_state: RunState,
        workers: list[str],
        targets: Mapping[str, int],
    ) -> None:
        self._plan = plan
        self._environment = environment
        self._runner = runner
        self._run_state = run_state
        self._workers = workers
        self._targets = targets
        self._steps: dict[tuple[int, int], StepTotals] = {}
        self._users_greenlet: gevent.Greenlet[..., None] | None = None
        self._asked_for: tuple[Any, ...] = (0, 1.0)
        """The last request to the runner: users, spawn rate and, from a shape, user classes."""
        self._users_differ = False
        """Whether others may run: those that arrivals created, or fewer, because a worker was lost meanwhile."""
        self._current: dict[str, Any] | None = None
        """What was last announced of the current phase."""
        self._search: SearchSteps | None = None

    def add(self, second: int, table: SecondTable) -> None:
        """Add a recorded second, by which steps are judged."""
        if self._search is not None:
            self._search.add(second, EndpointSecond.all_of(table))
        for row in EndpointSecond.all_of(table) if self._steps else ():
            step = self._steps.get((row.phase, row.segment))
            if step is not None:
                step.add(row)

    def take_over(self) -> None:
        """A worker was lost: the remaining ones take over its load."""
        if self._current is not None and self._current["open"]:
            self._send(self._current, from_s=self._run_state.now_s() + TAKE_OVER_S)
        elif not is_dispatching(self._runner):
            self._ask_for(*self._asked_for)

    def end(self) -> None:
        """Add no more users."""
        if self._users_greenlet is not None:
            self._users_greenlet.kill()

    def run(self, index: int, phase: Phase) -> None:
        """One phase, from its announcement to its end."""
        at_s = self._run_state.now_s() + LEAD_S
        if phase.search is None:
            self.announce(index, at_s, phase.segments)
        self._run_state.wait_until(at_s)
        self._run_state.record("phase", phase=index, at_s=at_s)
        logger.info("phase %s: %s", phase.name, phase.description)
        held: int | None = None
        reason: PhaseEndReason = "done"
        if phase.model == "open":
            self._users_differ = True
            # Arrivals create users as needed, so listeners that wait for all users need not wait any longer.
            users = self._runner.user_count
            self._environment.events.spawning_complete.fire(user_count=users)
            self._runner.send_message("spawning_complete", {"user_count": users})
        if not phase.segments:  # a LoadTestShape sets the load
            self._run_shape(at_s + (phase.most_s or math.inf))
        elif phase.search is not None:
            self._search = SearchSteps(self, self._run_state, index, phase)
            reason, held = self._search.run(at_s)
            self._search = None
        else:
            reason, held = self._run_segments(index, phase, at_s)
        if self._run_state.stopped:
            reason = "cut short"
        self._current = None
        ended_s = self._run_state.now_s()
        self._run_state.record("phase_end", phase=index, at_s=ended_s, reason=reason, held_segment=held)

    def announce(self, index: int, at_s: float, segments: Sequence[Segment], first: int = 0) -> None:
        """Have the workers begin a phase at ``at_s``, or go on with it from segment number ``first``."""
        phase = self._plan.phases[index]
        self._current = {
            "phase": index,
            "at_s": at_s,
            "segments": [[s.start, s.end, s.duration_s] for s in segments],
            "first": first,
            "open": phase.model == "open",
            "spacing": phase.spacing,
            "max_users": phase.max_users or 0,
            "seed": self._plan.seed,
        }
        self._send(self._current, from_s=at_s)

    def _send(self, announced: dict[str, Any], *, from_s: float) -> None:
        announced = {**announced, "from_s": from_s}
        turns = self._plan.phases[announced["phase"]].turns
        for target in range(len(self._plan.targets)):
            group = [worker for worker in self._workers if self._targets[worker] == target]
            shared = {**announced, "workers": len(group), "turns": [turn in (target, EVERY) for turn in turns]}
            for number, worker in enumerate(group):
                self._runner.send_message(messages.PHASE, {**shared, "worker": number}, client_id=worker)

    def _run_segments(self, index: int, phase: Phase, at_s: float) -> tuple[PhaseEndReason, int | None]:
        held: int | None = None
        begin_s = at_s
        for number, segment in enumerate(phase.segments):
            self._run_state.record("segment", phase=index, segment=number, at_s=begin_s)
            if phase.until is not None:
                self._steps[index, number] = StepTotals()
            if phase.model == "closed":
                self.change_users(segment.start, segment.end, segment.duration_s)
            end_s = begin_s + segment.duration_s
            last = number == len(phase.segments) - 1
            if phase.until is None:
                self._run_state.wait_until(end_s)
            else:
                # A step is judged when its last second has been reported: early in the next step.
                judged_s = begin_s + min(LAST_SECOND_S, segment.duration_s)
                if number and self._run_state.wait_until(judged_s) and self._broke(index, number - 1, phase):
                    return "limit broke", held
                if number and self._steps[index, number - 1].has_enough:
                    held = number - 1
                self._run_state.wait_until(end_s)
                if last and self._run_state.wait_until(end_s + LAST_SECOND_S):
                    if self._broke(index, number, phase):
                        return "limit broke", held
                    if self._steps[index, number].has_enough:
                        held = number
            if self._run_state.stopped:
                return "cut short", held
            begin_s = end_s
        return "done", held

    def _broke(self, index: int, number: int, phase: Phase) -> bool:
        assert phase.until is not None
        segment = phase.segments[number]
        broken = self._steps[index, number].breaks(phase.until, segment.duration_s)
        if broken is None:
            return False
        if phase.model == "closed":
            text = message("limit-broken-at-users", phase=phase.name, users=segment.end, finding=broken)
        else:
            text = message("limit-broken-at-rate", phase=phase.name, rate=segment.end, finding=broken)
        self._run_state.event("limit broke", text)
        return True

    def change_users(self, start: float, end: float, duration_s: float) -> None:
        """Have Locust change the number of users over the duration, or at once if start and end are equal."""
        users = round(end)
        # A pause after arrivals keeps the users that they created: arrivals may still wait for one.
        if start == end and users == self._asked_for[0] and not (users and self._users_differ):
            return
        self._users_differ = False
        distance = abs(users - round(start))
        if distance:
            self.end()
            assume_users(self._runner, round(start))
        rate = distance / duration_s if distance else max(1.0, float(users), float(self._runner.user_count))
        self._ask_for(users, rate)

    def _ask_for(self, *wanted: Any) -> None:
        """Have Locust start or stop users, replacing what it is doing."""
        if self._users_greenlet is not None:
            self._users_greenlet.kill()
        self._asked_for = wanted
        self._users_greenlet = gevent.spawn(self._runner.start, *wanted)

    def _run_shape(self, end_s: float) -> None:
        """Follow the scenario's ``LoadTestShape`` until ``end_s`` or its tick returns None, every second as Locust."""
        shape = self._environment.shape_class
        assert shape is not None
        shape.reset_time()
        last: Any = None
        while not self._run_state.stopped and self._run_state.now_s() < end_s:
            try:
                tick = shape.tick()
                users, rate, *classes = tick or (0, 0)
            except Exception as error:  # user code may raise anything
                logger.exception("the scenario's LoadTestShape raised")
                failure = f"{type(error).__name__}: {error}"
                self._run_state.event("error", message("shape-raised", error=failure))
                self._run_state.stop("error")
                return
            if tick is None:
                return
            if tick != last:
                self._ask_for(users, rate, False, *classes)
                last = tick
            self._run_state.wait(min(1.0, max(0.0, end_s - self._run_state.now_s())))
