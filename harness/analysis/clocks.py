"""How well the load workers' clocks agreed with the master's: whether every request is in the right second."""

from __future__ import annotations

from harness.messages import Message, message
from harness.record.journal import Journal
from harness.record.journal_entries import ClockReading
from harness.record.summary import WorkerClock

TOLERATED_MS = 50.0
"""A worker's clock that may be further off than this gets a warning."""


def worst_clocks(journal: Journal) -> list[WorkerClock]:
    """For each worker the reading in which its clock may have been furthest from the master's."""
    worst: dict[int, ClockReading] = {}
    for clock in journal.clocks:
        if clock.worker not in worst or clock.within_ms > worst[clock.worker].within_ms:
            worst[clock.worker] = clock
    return [
        WorkerClock(worker=number, host=journal.hosts.get(number, ""), offset=clock.error_ms, bound=clock.bound_ms)
        for number, clock in sorted(worst.items())
    ]


def clock_warning(clocks: list[WorkerClock]) -> Message | None:
    """A warning where requests may have been counted in the wrong second; None where they were not."""
    worst = max(clocks, key=lambda clock: clock.within, default=None)
    if worst is None or worst.within <= TOLERATED_MS:
        return None
    return message("worker-clock-off", worker=worst.worker, host=worst.host, off_ms=worst.within)
