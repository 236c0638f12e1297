"""How a run reports its progress: to the terminal's live view, the lines of a log, or a program."""

from __future__ import annotations

from typing import Protocol

from harness.messages import Message
from harness.plan.model import RunPlan
from harness.record.journal import Journal
from harness.record.run_folder import RunFolder


class RunObserver(Protocol):
    """Called by the controller in its main thread. The run waits for each call, so return quickly."""

    def notify(self, message: Message) -> None:
        """Something worth a line: the target starts, the run was interrupted."""
        ...

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        """The target is ready and the load processes start. ``plan`` is redacted, ``target`` describes the target."""
        ...

    def update(self, journal: Journal) -> None:
        """About ten times a second while the load runs. ``journal`` is always the same object, grown."""
        ...

    def load_ended(self) -> None:
        """There are no more updates. Judging and reporting follow, with :meth:`notify`."""
        ...


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
