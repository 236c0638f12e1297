"""How the load generator fared over the whole run, and how well the clocks of its workers agreed."""

from __future__ import annotations

import numpy as np

from harness.analysis.lateness import lag_of
from harness.messages import Message, message
from harness.record.figures import Lag
from harness.record.generator import Generator, WorkerClock
from harness.record.histogram import Histogram
from harness.record.journal import Journal
from harness.record.journal_entries import ClockReading

TOLERATED_MS = 50.0
"""A worker's clock that may be further off than this gets a warning."""


def generator_of(journal: Journal, limited: bool) -> Generator:
    """How the generator fared over the whole run; ``limited``: whether it was the limit in any phase."""
    states = [state for second in journal.seconds for state in second.workers]
    lags = np.array([state.lag_ms for state in states])
    lag = Lag()
    if len(lags):
        lag = Lag(p50=float(np.median(lags)), p99=float(np.quantile(lags, 0.99)), max=float(lags.max()))
    clocks = worst_clocks(journal)
    own = Histogram.merged([part.own for second in journal.seconds for part in second.lateness])
    return Generator(
        saturated=limited,
        cpu_max=max((state.cpu for state in states), default=0.0),
        starved_max=max((state.starved for state in states), default=0.0),
        throttled_max=max((state.throttled for state in states), default=0.0),
        stolen_max=max((state.stolen for state in states), default=0.0),
        lag_ms=lag,
        dropped=dropped_of(journal),
        late=sum(state.late for state in states),
        own_lateness_ms=lag_of(own),
        workers=max((len(second.workers) for second in journal.seconds), default=0),
        clock_ms=max((clock.within for clock in clocks), default=None),
        clocks=clocks,
    )


def dropped_of(journal: Journal) -> int:
    """The arrivals that still waited for a user when the run ended."""
    return sum(event.count for event in journal.events if event.kind == "dropped")


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
