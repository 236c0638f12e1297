"""By how much the mean response time of all requests rose, where the baseline has the same phase.

Requests that the phase's end cut off have no response time. If the target hangs, the mean misses most of the wait, but
the throughput shows it: users who wait send nothing. So if the mean's own interval shows no rise, the rise is computed
by Little's law for a closed system (Denning & Buzen 1978, "The operational analysis of queueing network models", ACM
Computing Surveys 10): users = throughput x (response time + wait time of users). The wait time is the same on both
sides.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.explain.arithmetic import less, mean_of
from harness.plan.model.phase import Phase
from harness.record.measurement import ALL, Interval, PhaseMeasurement


def mean_rise(plan: Phase, now: PhaseMeasurement, earlier: Sequence[PhaseMeasurement]) -> Interval | None:
    """In ms, of ``now`` over the mean of the ``earlier`` ones; None where that is not known."""
    measured = _difference(_figure(now, "mean"), [_figure(phase, "mean") for phase in earlier])
    users = _users(plan)
    if users is None or (measured is not None and measured.low > 0):
        return measured
    by_throughput = _difference(_ms_per_request(now, users), [_ms_per_request(phase, users) for phase in earlier])
    return measured if by_throughput is None else by_throughput


def _difference(now: Interval | None, earlier: Sequence[Interval | None]) -> Interval | None:
    before = [figure for figure in earlier if figure is not None]
    return less(now, mean_of(before)) if now is not None and before else None


def _figure(phase: PhaseMeasurement, name: str) -> Interval | None:
    return phase.endpoints[ALL].figures.get(name)


def _users(plan: Phase) -> float | None:
    """How many users the phase has throughout; None if they vary, or if users do not wait for responses."""
    levels = {level for segment in plan.segments for level in (segment.start, segment.end)}
    return next(iter(levels)) if plan.model == "closed" and len(levels) == 1 and not plan.turns else None


def _ms_per_request(phase: PhaseMeasurement, users: float) -> Interval | None:
    """What a user takes from one request to the next."""
    rate = _figure(phase, "throughput")
    if rate is None or rate.value <= 0 or rate.high is None:
        return None
    slowest = 1000 * users / rate.low if rate.low > 0 else None
    return Interval(value=1000 * users / rate.value, low=1000 * users / rate.high, high=slowest)
