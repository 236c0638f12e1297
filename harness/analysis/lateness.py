"""How late arrivals were started in the open model, and what of it response times may contain."""

from __future__ import annotations

from collections.abc import Container

from harness.metrics.statistics import Maximum, Mean, Quantile
from harness.record.endpoint_second import Lateness
from harness.record.figures import Lag
from harness.record.histogram import Histogram
from harness.record.journal import Journal
from harness.record.measurement import Interval
from harness.recording.run import PhaseRecord

LATE_US = 1000
"""An arrival that is started more than this after its intended start is late."""
_FEWEST_ARRIVALS = 20
_LATE_PARTS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Shares of arrivals taken to be the latest, as parts of a percentile's tail."""


def lateness_of(record: PhaseRecord, journal: Journal, left_out: Container[int] = ()) -> Lateness | None:
    """How late the arrivals were that were due in a phase, but for those started in seconds ``left_out``.

    None in the closed model.
    """
    if record.plan.model != "open":
        return None
    seconds = record.seconds(journal) if record.is_part else journal.seconds
    counted = (second for second in seconds if second.second not in left_out)
    parts = [part for second in counted for part in second.lateness if part.phase == record.index]
    return next(iter(Lateness.merged(parts)), None)


def late_us(delays: Histogram) -> float:
    """How late one arrival in 20 was at the least, in µs; 0 for fewer than 20, which show no such share."""
    return delays.quantile_us(0.95) if delays.count >= _FEWEST_ARRIVALS else 0.0


def without_lateness(interval: Interval, statistic: object, responses: Histogram, own: Histogram) -> Interval:
    """The interval of a response time (ms), widened down to what it may be without the generator's ``own`` lateness.

    For the quantile ``q`` of ``responses``, let a share ``f`` of the arrivals be more than ``l`` late. On time, each of
    them, and another one that it held up, might have been among the fastest; all others would have been faster by ``l``
    at most. So the quantile would have been at least that at ``q - 2f``, less ``l``. This holds for every ``f``: the
    highest bound counts.
    """
    match statistic:
        case Quantile(q):
            shares = [part * (1 - q) for part in _LATE_PARTS if 2 * part * (1 - q) < q]
            added_us = responses.quantile_us(q) - max(
                responses.quantile_us(q - 2 * share) - own.quantile_us(1 - share) for share in shares
            )
        case Mean():
            added_us = own.mean_us
        case Maximum():
            added_us = own.max_us
        case _:
            return interval
    return interval.model_copy(update={"low": max(0.0, interval.low - added_us / 1000)})


def lag_of(histogram: Histogram) -> Lag:
    """Its percentiles in ms; all None where it is empty."""
    if not histogram.count:
        return Lag()
    p50, p99 = (histogram.quantile_us(q) / 1000 for q in (0.5, 0.99))
    return Lag(p50=p50, p99=p99, max=histogram.max_us / 1000)
