"""Replays a recorded run to an observer, second by second, as the controller does while the load runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from harness.control.observer import RunObserver
from harness.plan.model.run import RunPlan
from harness.record.frames import Frame, FrameReader
from harness.record.journal import Journal
from harness.record.run_folder import RunFolder, read_model


def plan_in(folder: RunFolder) -> RunPlan:
    return read_model(folder.plan, RunPlan)


def replay(
    folder: RunFolder,
    observer: RunObserver,
    *,
    after: Callable[[Journal], None] = lambda _: None,
    until_s: float = float("inf"),
) -> Journal:
    """Tell ``observer`` the run from its begin to ``until_s``, all that was written at one moment at once; ``after`` is
    called behind every update.
    """
    observer.load_begins(plan_in(folder), folder, "the embedded shop")
    journal, reported = Journal(), 0

    def moment(frame: Frame) -> float:
        at_s: float = frame.get("at_s", frame.get("second", -1) + 1)
        return at_s

    for at_s, frames in groupby(FrameReader(folder.journal).new_frames(), moment):
        if at_s > until_s:
            break
        for frame in frames:
            journal.add(frame)
        for event in journal.events[reported:]:
            observer.notify(event.message)
        reported = len(journal.events)
        observer.update(journal)
        after(journal)
    return journal
