"""Follow a run while its load runs: pass on what is new in the journal, and end the load when it must end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.control.interrupts import Interrupts
from harness.control.load_processes import LoadProcesses
from harness.control.observer import RunObserver
from harness.gates.live import LiveGates
from harness.gates.run_totals import RunTotals
from harness.messages import Message, message
from harness.record.journal import Journal, JournalFollower
from harness.record.journal_entries import EndReason
from harness.sampling.session import SamplingSession
from harness.targets.target import Target

_POLL_S = 0.1


class Stop(NamedTuple):
    """Why the load must end: for the journal, and for people."""

    reason: EndReason
    message: Message


StopCondition = Callable[[Journal], Stop | None]


class RunSupervisor:
    """Reads the journal until the load has ended; each part gets it whenever it may have grown."""

    def __init__(self, load: LoadProcesses, journal: JournalFollower, *parts: Callable[[Journal], None]) -> None:
        self._load = load
        self._follower = journal
        self._parts = parts

    def run(self) -> Journal:
        """Returns when the load has ended; the journal is then complete."""
        # The last frame is the end, even if something that a scenario left behind keeps its process from ending.
        while self._load.running and self._follower.journal.end_reason is None:
            self._follow()
            time.sleep(_POLL_S)
        self._follow()
        return self._follower.journal

    def _follow(self) -> None:
        self._follower.poll()
        for part in self._parts:
            part(self._follower.journal)


class PhaseNotifier:
    """Starts and stops sampling with each phase."""

    def __init__(self, sampling: SamplingSession) -> None:
        self._sampling = sampling
        self._begun = 0
        self._ended = 0

    def __call__(self, journal: Journal) -> None:
        for span in journal.phases[self._ended :]:
            if self._begun <= self._ended:
                self._begun += 1
                self._sampling.phase_started(span.phase)
            if span.end_s is None:
                break
            self._ended += 1
            self._sampling.phase_ended(span.phase)


class EventNotifier:
    """Passes messages of the load processes and events of the journal on to the observer."""

    def __init__(self, load: LoadProcesses, observer: RunObserver) -> None:
        self._load = load
        self._observer = observer
        self._events = 0

    def __call__(self, journal: Journal) -> None:
        events = [event.message for event in journal.events[self._events :]]
        self._events = len(journal.events)
        for text in [*self._load.news(), *events]:
            self._observer.notify(text)


class LoadStopper:
    """Ends the load in order as soon as a condition is met, and at once if the user insists."""

    def __init__(
        self, load: LoadProcesses, observer: RunObserver, interrupts: Interrupts, conditions: Sequence[StopCondition]
    ) -> None:
        self._load = load
        self._observer = observer
        self._interrupts = interrupts
        self._conditions = conditions
        self._stopping = False
        self._pressed = 0

    def __call__(self, journal: Journal) -> None:
        self._escalate()
        for condition in self._conditions if not self._stopping else ():
            stop = condition(journal)
            if stop is not None:
                self._stopping = True
                self._observer.notify(stop.message)
                self._load.stop(stop.reason)
                return

    def _escalate(self) -> None:
        pressed, before = self._interrupts.count, self._pressed
        self._pressed = pressed
        if pressed > 2 and before < 3:
            self._observer.notify(message("run-killed"))
            self._load.kill()
        elif pressed == 2 and before < 2:
            self._observer.notify(message("run-aborted"))
            self._load.abort()


def interrupted(interrupts: Interrupts) -> StopCondition:
    """Met once the user has interrupted the run."""

    def condition(journal: Journal) -> Stop | None:  # noqa: ARG001  (a StopCondition)
        if not interrupts.count:
            return None
        note = message("run-interrupted")
        return Stop("interrupted", note)

    return condition


def target_lost(target: Target) -> StopCondition:
    """Met once the target has ended."""

    def condition(journal: Journal) -> Stop | None:  # noqa: ARG001  (a StopCondition)
        if target.is_alive():
            return None
        end = target.exit_description()
        return Stop("target lost", message("target-lost", end=end))

    return condition


def gate_lost(totals: RunTotals) -> StopCondition:
    """Met once a gate has failed beyond recovery."""
    gates = LiveGates(totals)

    def condition(journal: Journal) -> Stop | None:
        totals.update(journal)
        lost = gates.lost()
        if lost is None:
            return None
        note = message("run-stopped-early", gate=lost.gate.comparison.source, phase=lost.phase, reason=lost.reason)
        return Stop("gate failed", note)

    return condition
