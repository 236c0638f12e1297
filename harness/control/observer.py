"""How a run reports its progress: to the terminal's live view, the lines of a log, or a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from harness.messages import Message
from harness.plan.model.run import RunPlan
from harness.record.journal import Journal
from harness.record.journal_entries import PhaseSpan
from harness.record.run_folder import RunFolder


class RunObserver(Protocol):
    """Called by the controller in its main thread. The run waits for each call, so return quickly."""

    def notify(self, message: Message) -> None:
        """Something worth a line: the target starts, the run was interrupted."""

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        """The target is ready and the load processes start. ``plan`` is redacted, ``target`` describes the target."""

    def update(self, journal: Journal) -> None:
        """About ten times a second while the load runs. ``journal`` is always the same object, grown."""

    def load_ended(self) -> None:
        """There are no more updates. Judging and reporting follow, with :meth:`notify`."""


class PhaseChanges:
    """Starts and ends of phases in a growing journal, each once, in order."""

    def __init__(self) -> None:
        self._begun = 0
        self._ended = 0

    def new(self, journal: Journal) -> Iterator[tuple[PhaseSpan, bool]]:
        """Starts (False) and ends (True) since the last call."""
        for span in journal.phases[self._ended :]:
            if self._begun <= self._ended:
                self._begun += 1
                yield span, False
            if span.end_s is None:
                return
            self._ended += 1
            yield span, True


class RunObservers:
    """Several observers as one."""

    def __init__(self, *observers: RunObserver) -> None:
        self._observers = observers

    def notify(self, message: Message) -> None:
        for observer in self._observers:
            observer.notify(message)

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        for observer in self._observers:
            observer.load_begins(plan, folder, target)

    def update(self, journal: Journal) -> None:
        for observer in self._observers:
            observer.update(journal)

    def load_ended(self) -> None:
        for observer in self._observers:
            observer.load_ended()
