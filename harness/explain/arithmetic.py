"""Differences and shares of figures that have 95 % intervals, whose errors are independent."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.record.measurement import Interval


def mean_of(figures: Sequence[Interval]) -> Interval:
    """The mean of the figures of several runs."""
    value = sum(figure.value for figure in figures) / len(figures)
    below = math.hypot(*(figure.value - figure.low for figure in figures)) / len(figures)
    above = math.hypot(*(_above(figure) for figure in figures)) / len(figures)
    return _interval(value, below, above)


def sum_of(figures: Sequence[Interval]) -> Interval:
    """The sum of several figures."""
    below = math.hypot(*(figure.value - figure.low for figure in figures))
    above = math.hypot(*(_above(figure) for figure in figures))
    return _interval(sum(figure.value for figure in figures), below, above)


def less(now: Interval, before: Interval) -> Interval:
    """``now`` less ``before``."""
    value = now.value - before.value
    below = math.hypot(now.value - now.low, _above(before))
    above = math.hypot(_above(now), before.value - before.low)
    return _interval(value, below, above)


def share_of(part: Interval, whole: Interval) -> Interval | None:
    """The share (0…1) of ``whole`` that ``part`` is; None if the whole may be nothing."""
    if whole.value <= 0 or whole.low <= 0:
        return None
    least = 0.0 if whole.high is None else _as_share(part.low / whole.high)
    most = 1.0 if part.high is None else _as_share(part.high / whole.low)
    return Interval(value=_as_share(part.value / whole.value), low=least, high=most)


def times(share: Interval, whole: float) -> Interval:
    """That share of ``whole``."""
    return Interval(
        value=share.value * whole, low=share.low * whole, high=None if share.high is None else share.high * whole
    )


def _as_share(value: float) -> float:
    return min(1.0, max(0.0, value))


def _above(figure: Interval) -> float:
    return math.inf if figure.high is None else figure.high - figure.value


def _interval(value: float, below: float, above: float) -> Interval:
    return Interval(value=value, low=value - below, high=None if math.isinf(above) else value + above)
