"""Follows a run while its load runs: passes the journal on, and ends the load when it must end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.control.faults import Faults
from harness.control.interrupts import Interrupts
from harness.control.load_processes import LoadProcesses
from harness.control.observer import PhaseChanges, RunObserver
from harness.control.proxies import Proxies
from harness.messages import Message, message
from harness.plan.duet import of_build
from harness.record.journal import Journal, JournalFollower
from harness.record.journal_entries import EndReason
from harness.sampling.session import SamplingSession
from harness.targets.target import Target

if TYPE_CHECKING:
    from harness.gates.early_stop import EarlyStop

_POLL_S = 0.1


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
        self._changes = PhaseChanges()

    def __call__(self, journal: Journal) -> None:
        for span, is_end in self._changes.new(journal):
            notify = self._sampling.phase_ended if is_end else self._sampling.phase_started
            notify(span.phase)


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


class MasterWatch:
    """Warns when the load master records nothing, as it does each second, and kills the load if that lasts.

    A stopped process looks like this, and one in which a scenario's listener never returns.
    """

    def __init__(
        self, load: LoadProcesses, notify: Callable[[Message], None], warn_s: float = 10.0, kill_s: float = 120.0
    ) -> None:
        self._load = load
        self._notify = notify
        self._limits = [(warn_s, self._warn), (kill_s, self._kill)]
        self._recorded = 0
        self._since_s = time.monotonic()
        self._passed = 0

    def __call__(self, journal: Journal) -> None:
        recorded = len(journal.phases) + len(journal.arrived)
        if recorded != self._recorded or not journal.phases:
            self._recorded, self._since_s, self._passed = recorded, time.monotonic(), 0
            return
        silent_s = time.monotonic() - self._since_s
        for limit_s, act in self._limits[self._passed :]:
            if silent_s >= limit_s:
                self._passed += 1
                act(limit_s)

    def _warn(self, limit_s: float) -> None:
        kill_s = self._limits[-1][0]
        self._notify(message("master-stalled", silent_s=limit_s, kill_s=kill_s))

    def _kill(self, limit_s: float) -> None:
        self._notify(message("master-killed", silent_s=limit_s))
        self._load.kill()


class LoadStopper:
    """Ends the load in order as soon as it must end, and at once if the user insists."""

    def __init__(
        self,
        load: LoadProcesses,
        observer: RunObserver,
        interrupts: Interrupts,
        targets: Sequence[tuple[str, Target]],
        faults: Faults,
        proxies: Proxies,
        early: EarlyStop | None,
    ) -> None:
        """``targets``: each with its variant. The load also ends when ``early`` says so."""
        self._load = load
        self._observer = observer
        self._interrupts = interrupts
        self._targets = targets
        self._faults = faults
        self._proxies = proxies
        self._early = early
        self.stopping = False
        self._pressed = 0

    def __call__(self, journal: Journal) -> None:
        self._escalate()
        if not self.stopping and (stop := self._reason_to_stop(journal)) is not None:
            self.stopping = True
            reason, text = stop
            self._observer.notify(text)
            self._load.stop(reason)

    def _reason_to_stop(self, journal: Journal) -> tuple[EndReason, Message] | None:
        """For the journal, and for people."""
        for _, target in self._targets:
            if (notice := target.notice()) is not None:
                self._observer.notify(notice)
        if self._interrupts.count:
            return "interrupted", message("run-interrupted")
        for lost in self._proxies.notices():  # what fails from now on is not the target's fault
            return "proxies lost", lost
        for variant, target in self._targets:
            # A fault may have started it again between two looks.
            if not target.is_alive() and not self._faults.explains_absence and not target.is_alive():
                end, fault = target.exit_description(), self._faults.last_that_ends_target
                lost = message("target-lost", end=end)
                if fault is not None:
                    lost = message("target-lost-after-fault", end=end, fault=fault)
                return "target lost", of_build(variant, lost)
        return None if self._early is None else self._early(journal)

    def _escalate(self) -> None:
        pressed, before = self._interrupts.count, self._pressed
        self._pressed = pressed
        if pressed > 2 and before < 3:
            self._observer.notify(message("run-killed"))
            self._load.kill()
        elif pressed == 2 and before < 2:
            self._observer.notify(message("run-aborted"))
            self._load.abort()
