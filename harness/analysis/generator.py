"""Whether the load generator, and not the target, was the limit: then the run says nothing about the target.

Where more than :data:`HELD` of a phase's requests waited for the rate ceiling that the user has set for their host, the
ceiling was the limit. Else: a worker is one Python process, so one core. Three things show that it could not keep up,
each by phase:

- it had work for more than :data:`BUSY` of its core in more than :data:`BUSY_SECONDS` of the seconds, whether it got
  that core or something else on the machine did: requests queued in it;
- its event loop stood still more than :data:`STALL` of the time: a share of all requests that is larger than what a
  P95 leaves out waited in the generator, and the wait is more than :data:`DISTORTION` of that P95;
- in the open model it was late by its own doing: the P95 of that is more than 1 ms and :data:`DISTORTION` of the
  response time's. (Where all users are busy, it is the target that is slow, and response time rightly counts the wait.)

**How many workers it would have taken.** Let ``c`` be the CPU time that one iteration costs the workers (what all of
them used in the phase, over the iterations they began) and ``r`` the iterations a second that the phase asks for: in
the open model its highest arrival rate, in the closed one the rate that was reached, for what undisturbed users would
have done is not known. ``r · c`` cores are then the work to be done, and ``ceil(r · c / COMFORTABLE)`` workers do it
with room to spare, as utilisation law has it (Denning & Buzen 1978: utilisation is throughput times service demand).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis.clocks import worst_clocks
from harness.plan.phases import phase_kind
from harness.record.histogram import Histogram
from harness.record.journal import Journal, Second, WorkerSecond
from harness.record.lateness import Lateness
from harness.record.summary import Generator, Lag
from harness.recording.run import PhaseRecord

BUSY = 0.9
BUSY_SECONDS = 0.2
STALL = 0.05
DISTORTION = 0.1
HELD = 0.01
"""One request that waits is counted in each second in which it does."""
COMFORTABLE = 0.6
"""The share of a core that a worker can use without a thought."""
LATE_US = 1000
"""An arrival that is started more than this after its intended start is late."""
_WORTH_TELLING = 0.05
"""CPU that was taken from a worker is named as a cause from this share on."""


def seconds_of(record: PhaseRecord, journal: Journal) -> list[Second]:
    """The seconds of the run that lie in a phase by more than half."""
    return [second for second in journal.seconds if record.start_s <= second.second + 0.5 < record.end_s]


def generator_limit(record: PhaseRecord, journal: Journal) -> str | None:
    """Why the generator was the limit in a phase, in one sentence with what would have helped; None: it was not."""
    seconds = seconds_of(record, journal)
    if not phase_kind(record.plan.kind).has_load or not seconds:
        return None
    if not any(entry.requests for _, entry in record.endpoint_seconds):
        # More workers would not have helped: what is wrong is that no request was sent, and gates say so.
        return None
    workers: dict[int, list[WorkerSecond]] = {}
    for second in seconds:
        for state in second.workers:
            workers.setdefault(state.worker, []).append(state)
    return (
        _held_back(seconds, record)
        or _busy(workers, record)
        or _stalled(workers, record)
        or _late(workers, record, journal)
    )


def _held_back(seconds: Sequence[Second], record: PhaseRecord) -> str | None:
    held = [sum(state.held for state in second.workers) for second in seconds]
    requests = sum(entry.requests for _, entry in record.endpoint_seconds)
    if sum(held) <= HELD * requests:
        return None
    waited_in = sum(count > 0 for count in held)
    return (
        f"in {waited_in} of {len(held)} s requests waited, unsent, for the rate ceiling of their host (max_rate in "
        f"allowed_hosts), up to {max(held):,} in one; ask for less load, or raise the ceiling"
    )


def _busy(workers: dict[int, list[WorkerSecond]], record: PhaseRecord) -> str | None:
    for worker, states in workers.items():
        busy = sum(state.wanted > BUSY for state in states)
        if busy > BUSY_SECONDS * len(states):
            return (
                f"load worker {worker} had work for more than {BUSY:.0%} of its core in {busy} of {len(states)} s"
                f"{_taken(states)}; {_would_have_taken(workers, record)}"
            )
    return None


def _stalled(workers: dict[int, list[WorkerSecond]], record: PhaseRecord) -> str | None:
    response = Histogram.merged([entry.response for _, entry in record.endpoint_seconds])
    p95_ms = response.quantile_us(0.95) / 1000 if response.count else math.inf
    for worker, states in workers.items():
        stall_ms = float(np.mean([state.lag_ms for state in states]))
        if stall_ms > 1000 * STALL and stall_ms > DISTORTION * p95_ms:
            return (
                f"the event loop of load worker {worker} stood still for {stall_ms:.0f} ms in a mean second, and "
                f"response times hold that{_taken(states)}; give it a quieter machine, or {len(workers) + 1} workers "
                f"(--workers {len(workers) + 1})"
            )
    return None


def _late(workers: dict[int, list[WorkerSecond]], record: PhaseRecord, journal: Journal) -> str | None:
    lateness = lateness_of(record, journal)
    response = Histogram.merged([entry.response for _, entry in record.endpoint_seconds])
    if lateness is None or not lateness.own.count or not response.count:
        return None
    late_us = lateness.own.quantile_us(0.95)
    if late_us <= max(LATE_US, DISTORTION * response.quantile_us(0.95)):
        return None
    states = [state for each in workers.values() for state in each]
    return (
        f"one arrival in 20 was started more than {late_us / 1000:.1f} ms late although a user was free"
        f"{_taken(states)}; {_would_have_taken(workers, record)}"
    )


def _taken(states: Sequence[WorkerSecond]) -> str:
    """What kept workers from their cores, where that is worth telling."""
    causes = {
        "other processes had the cores for {:.0%} of the time": np.mean([state.starved for state in states]),
        "its control group's CPU quota was used up for {:.0%}": np.mean([state.throttled for state in states]),
        "the hypervisor took {:.0%} of the machine": np.mean([state.stolen for state in states]),
    }
    told = [cause.format(share) for cause, share in causes.items() if share >= _WORTH_TELLING]
    return f" ({', '.join(told)})" if told else ""


def _would_have_taken(workers: dict[int, list[WorkerSecond]], record: PhaseRecord) -> str:
    needed = max(workers_needed(workers, record), len(workers) + 1)
    return f"it would have taken at least {needed} workers (--workers {needed}, each with a core to itself)"


def workers_needed(workers: dict[int, list[WorkerSecond]], record: PhaseRecord) -> int:
    """How many workers do what the phase asks for; the formula is in the module's first lines. 0: nothing tells."""
    used_s = sum(state.cpu for states in workers.values() for state in states)
    begun = sum(state.iterations for states in workers.values() for state in states)
    seconds = max((len(states) for states in workers.values()), default=0)
    if not begun:
        return 0
    rate = begun / seconds
    if record.plan.model == "open":
        reached = record.plan.segments[: max(1, len(record.span.segments))]
        rate = max(rate, *(level for segment in reached for level in (segment.start, segment.end)))
    return math.ceil(rate * used_s / begun / COMFORTABLE)


def lateness_of(record: PhaseRecord, journal: Journal) -> Lateness | None:
    """How late the arrivals were that were due in a phase, whenever they were started; None in the closed model."""
    if record.plan.model != "open":
        return None
    parts = [part for second in journal.seconds for part in second.lateness if part.phase == record.index]
    return next(iter(Lateness.merged(parts)), None)


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
    clocks = worst_clocks(journal)
    own = Histogram.merged([part.own for second in journal.seconds for part in second.lateness])
    return Generator(
        saturated=limited,
        cpu_max=max((state.cpu for state in states), default=0.0),
        starved_max=max((state.starved for state in states), default=0.0),
        throttled_max=max((state.throttled for state in states), default=0.0),
        stolen_max=max((state.stolen for state in states), default=0.0),
        lag_ms=lag,
        dropped=sum(event.count for event in journal.events if event.what == "dropped"),
        late=sum(state.late for state in states),
        own_lateness_ms=lag_of(own),
        workers=max((len(second.workers) for second in journal.seconds), default=0),
        clock_ms=max((clock.within for clock in clocks), default=None),
        clocks=clocks,
    )


def lag_of(histogram: Histogram) -> Lag:
    """Its percentiles in ms; all None where it is empty."""
    if not histogram.count:
        return Lag()
    p50, p99 = (histogram.quantile_us(q) / 1000 for q in (0.5, 0.99))
    return Lag(p50=p50, p99=p99, max=histogram.max_us / 1000)
