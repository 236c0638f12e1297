"""What a run tells whoever watches it: the terminal's live view, the plain lines of a log, or nobody."""

from __future__ import annotations

from typing import Protocol

from harness.plan.model import RunPlan
from harness.record.journal import Journal
from harness.record.run_folder import RunFolder


class RunObserver(Protocol):
    """Called by the controller, in its main thread. Each call returns quickly: the run does not wait."""

    def say(self, message: str) -> None:
        """Something worth a line: ``starting the target``, ``interrupted: ending the run``."""
        ...

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        """The target is ready, the load processes start; ``target`` describes it."""
        ...

    def update(self, journal: Journal) -> None:
        """Some ten times a second while the load runs; ``journal`` is the same object, grown."""
        ...

    def load_ended(self) -> None:
        """No more updates come; what is left (judging, drawing) is told by :meth:`say`."""
        ...


class RunObservers:
    """Several watchers as one, each told in turn."""

    def __init__(self, *every: RunObserver) -> None:
        self._every = every

    def say(self, message: str) -> None:
        for observer in self._every:
            observer.say(message)

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        for observer in self._every:
            observer.load_begins(plan, folder, target)

    def update(self, journal: Journal) -> None:
        for observer in self._every:
            observer.update(journal)

    def load_ended(self) -> None:
        for observer in self._every:
            observer.load_ended()
