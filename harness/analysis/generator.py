"""Whether the load generator, and not the target, was the limit: then the run says nothing about the target.

A worker is one Python process, so one core. Three things show that it could not keep up, each by phase:

- it used more than :data:`BUSY` of its core in more than :data:`BUSY_SECONDS` of the seconds: requests queued in it;
- its event loop stood still more than :data:`STALL` of the time: a share of all requests that is larger than what a
  P95 leaves out waited in the generator, and the wait is more than :data:`DISTORTION` of that P95;
- in the open model, many iterations began late although users were free, and that wait is more than
  :data:`DISTORTION` of the response time. (Where all users are busy, it is the target that is slow, and response time
  rightly counts the wait.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis.recorded import PhaseRecord
from harness.record.histogram import Histogram
from harness.record.journal import Journal, Second, WorkerSecond
from harness.record.summary import Generator, Lag

BUSY = 0.9
BUSY_SECONDS = 0.2
STALL = 0.05
DISTORTION = 0.1
_LATE_SHARE = 0.2
_COMFORTABLE = 0.6
"""The share of a core that a worker can use without a thought."""
_POOL_FULL = 0.98


def seconds_of(record: PhaseRecord, journal: Journal) -> list[Second]:
    """The seconds of the run that lie in a phase by more than half."""
    return [second for second in journal.seconds if record.start_s <= second.second + 0.5 < record.end_s]


def generator_limit(record: PhaseRecord, journal: Journal) -> str | None:
    """Why the generator was the limit in a phase, in one sentence with what would have helped; None: it was not."""
    seconds = seconds_of(record, journal)
    if record.plan.kind == "pause" or not seconds:
        return None
    if not any(series.requests for _, series in record.series):
        # More workers would not have helped: what is wrong is that no request was sent, and gates say so.
        return None
    workers: dict[int, list[WorkerSecond]] = {}
    for second in seconds:
        for state in second.workers:
            workers.setdefault(state.worker, []).append(state)
    return _busy(workers) or _stalled(workers, record) or _late(seconds, record)


def _busy(workers: dict[int, list[WorkerSecond]]) -> str | None:
    for worker, states in workers.items():
        busy = sum(state.cpu > BUSY for state in states)
        if busy > BUSY_SECONDS * len(states):
            used = sum(float(np.mean([state.cpu for state in each])) for each in workers.values())
            needed = max(len(workers) + 1, math.ceil(used / _COMFORTABLE))
            return (
                f"load worker {worker} used more than {BUSY:.0%} of its core in {busy} of {len(states)} s; "
                f"it would have taken at least {needed} workers (--workers {needed}, each with a core to itself)"
            )
    return None


def _stalled(workers: dict[int, list[WorkerSecond]], record: PhaseRecord) -> str | None:
    response = Histogram.merged([series.response for _, series in record.series])
    p95_ms = response.quantile_us(0.95) / 1000 if response.count else math.inf
    for worker, states in workers.items():
        stall_ms = float(np.mean([state.lag_ms for state in states]))
        if stall_ms > 1000 * STALL and stall_ms > DISTORTION * p95_ms:
            return (
                f"the event loop of load worker {worker} stood still for {stall_ms:.0f} ms in a mean second, and "
                "response times hold that; give it a quieter machine, or more workers (--workers "
                f"{len(workers) + 1})"
            )
    return None


def _late(seconds: Sequence[Second], record: PhaseRecord) -> str | None:
    if record.plan.model != "open":
        return None
    free = [second for second in seconds if not pool_is_full(second, record)]
    late = sum(state.late for second in free for state in second.workers)
    begun = sum(state.iterations for second in free for state in second.workers)
    response = Histogram.merged([series.response for _, series in record.series])
    service = Histogram.merged([series.service for _, series in record.series])
    if not begun or not service.count or late <= _LATE_SHARE * begun:
        return None
    delay_us = response.mean_us - service.mean_us
    if delay_us <= max(1000.0, DISTORTION * service.mean_us):
        return None
    workers = max(len(second.workers) for second in seconds)
    return (
        f"{late:,} of {begun:,} iterations began late although users were free, {delay_us / 1000:.1f} ms on average; "
        f"it would have taken at least {workers + 1} workers (--workers {workers + 1})"
    )


def pool_is_full(second: Second, record: PhaseRecord) -> bool:
    """Whether arrivals of the open model had to wait for a user in that second, all being busy."""
    limit = record.plan.max_users
    full = limit is not None and second.users >= _POOL_FULL * limit
    return full or any(state.waiting for state in second.workers)


def waiting_for_users(record: PhaseRecord, journal: Journal) -> str | None:
    """A warning where the open model's arrivals waited for users; None where they did not."""
    if record.plan.model != "open":
        return None
    seconds = seconds_of(record, journal)
    full = sum(any(state.waiting for state in second.workers) for second in seconds)
    if not full:
        return None
    limit = f"all {record.plan.max_users:,} users" if record.plan.max_users else "all users"
    return (
        f"phase {record.plan.name!r}: {limit} were busy at the end of {full} of {len(seconds)} s, so arrivals waited; "
        "their response times count the wait, but the target never saw more requests at once (max_users)"
    )


def generator_of(journal: Journal, limited: bool) -> Generator:
    """How the generator fared over the whole run; ``limited``: whether it was the limit in any phase."""
    states = [state for second in journal.seconds for state in second.workers]
    lags = np.array([state.lag_ms for state in states])
    lag = Lag()
    if len(lags):
        lag = Lag(p50=float(np.median(lags)), p99=float(np.quantile(lags, 0.99)), max=float(lags.max()))
    return Generator(
        saturated=limited,
        cpu_max=max((state.cpu for state in states), default=0.0),
        lag_ms=lag,
        dropped=sum(event.count for event in journal.events if event.what == "dropped"),
        late=sum(state.late for state in states),
        workers=max((len(second.workers) for second in journal.seconds), default=0),
    )
