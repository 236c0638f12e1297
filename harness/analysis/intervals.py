"""95 % intervals for the figures of one run, whose requests are not independent of each other.

A garbage collection, a cold cache or a neighbour slows all requests of one second alike, and those of the next. An
interval that treats n requests as n independent ones is then several times too narrow, and luck decides its gate. So
the spread is taken between *blocks of seconds*:

- The standard error is that of the moving-block bootstrap over the phase's seconds (Künsch 1989, Annals of
  Statistics 17(3); Liu & Singh 1992). Every figure here is a ratio of sums over seconds, or the inverse of one. For
  these the bootstrap's variance has a closed form, the variance of overlapping block means (Meketon & Schmeiser
  1984; Künsch 1989, section 3). Nothing is drawn at random, so the same run always gets the same interval.
- Blocks are √n seconds long (Flegal & Jones 2010, Annals of Statistics 38(2)). A few blocks show little of how blocks
  differ, so the factor is Student's t with the 1.5 (n/b - 1) degrees of freedom that overlapping blocks are worth
  (Meketon & Schmeiser 1984), instead of 1.96. Short phases get wide intervals.
- Blocks of finite length miss correlation over longer times, and the variance comes out too small. The lugsail
  correction (Vats & Flegal 2022, Biometrika 109(3)), twice the variance from long blocks minus that from short ones,
  makes up for it. It is used only where it widens the interval.
- A percentile's interval holds the times up to which the share of requests may be the percentile's (test inversion:
  Woodruff 1952, JASA 47; Francisco & Fuller 1991, Annals of Statistics 19(1)). A share's interval is the exact
  binomial one for the *effective* number of requests: as many independent ones as would vary alike (Korn & Graubard
  1998, Survey Methodology 24).
- A proportion's interval is Wilson's (1927) for the effective number of requests, which is never more than the real
  one: 0 failures of 50 are [0 %, 7 %], not [0 %, 0 %].

No interval is ever narrower than that of independent requests.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.special import betaincinv, stdtrit

from harness.analysis.samples import Floats, Sample
from harness.metrics.aggregate import Aggregate
from harness.metrics.metric import Metric
from harness.metrics.statistics import Maximum, Mean, Proportion, Quantile, Rate
from harness.record.histogram import highest_of, lowest_of
from harness.record.measurement import Interval

FEWEST = 3
"""Fewer values do not show how values differ."""
_TAIL = 0.025
Z = 1.959963984540054


Bounds = tuple[float, float | None]


def interval_of(sample: Sample, metric: Metric[Aggregate]) -> Interval | None:
    """A metric's figure and its 95 % interval, in the metric's unit; None where there is no request to compute it from.

    ``high`` is None where the requests are too few to bound it from above: a mean takes :data:`FEWEST`, a P99 368
    independent ones.
    """
    value = metric.value(sample.aggregate)
    if value is None:
        return None
    low, high = _bounds(metric.statistic, value, sample)
    return Interval(value=value, low=low, high=high)


def _bounds(statistic: object, value: float, sample: Sample) -> Bounds:
    """The 95 % interval of ``value``, which ``statistic`` gave for ``sample``."""
    match statistic:
        case Quantile(q):
            return _quantile(sample, q)
        case Mean():
            return around(value, *_mean_error(sample)) if sample.timed.sum() >= FEWEST else (0.0, None)
        case Maximum():
            return value, value
        case Proportion(count):
            return _proportion(sample, count(sample))
        case Rate(count):
            return around(value, *_rate_error(sample, count(sample)))
    raise TypeError(f"no interval for {statistic}")


def requests_to_bound(q: float, seconds: int) -> int:
    """The fewest requests in this many seconds that give the ``q`` quantile an upper bound."""
    return math.ceil(math.log(_TAIL) / math.log(q) * (student(degrees_of(seconds)) / Z) ** 2)


def requests_to_show(error_rate: float, seconds: int) -> int:
    """How many requests in this many seconds, none failed, show a rate below ``error_rate`` (a share)."""
    return math.ceil(Z**2 * (1 - error_rate) / error_rate * (student(degrees_of(seconds)) / Z) ** 2)


def block_variance(deviations: Floats) -> tuple[float, float]:
    """The variance of the sum of ``deviations`` (shape ``(n,)``, summing to 0), and its degrees of freedom.

    The moving-block bootstrap's, in closed form, for blocks of √n, made longer-sighted by the lugsail correction. A
    single value has no variance to show: 0, with one degree of freedom.
    """
    n = len(deviations)
    if n < 2:
        return 0.0, 1.0
    running = np.zeros(n + 1)
    deviations.cumsum(out=running[1:])
    length = math.isqrt(n)
    long = _overlapping(running, length)
    short = _overlapping(running, max(1, length // 3))
    return max(long, 2 * long - short), degrees_of(n)


def degrees_of(n: int) -> float:
    """What overlapping blocks of √n of ``n`` seconds are worth in degrees of freedom."""
    length = math.isqrt(n)
    return float(max(n - 1, 1)) if length == 1 else 1.5 * (n / length - 1)


def _overlapping(running: Floats, length: int) -> float:
    """Variance of the sum from overlapping blocks of ``length`` (Flegal & Jones 2010, equation 7, times n).

    ``running`` are the sums of the first 0…n deviations.
    """
    n = len(running) - 1
    sums = running[length:] - running[:-length] - length * running[-1] / n
    return float(sums @ sums) * n * n / (length * (n - length) * (n - length + 1))


@lru_cache(maxsize=1024)
def student(degrees: float) -> float:
    """Student's t for 95 %, by which a standard error becomes half an interval."""
    return float(stdtrit(degrees, 1 - _TAIL))


def _effective(share: float, count: float, variance: float, degrees: float) -> float:
    """The number of independent requests that would show a share with this variance, after Student's factor."""
    spread = share * (1 - share)
    alike = min(count, spread / variance) if variance > 0 and spread > 0 else count
    return max(alike * (Z / student(degrees)) ** 2, 1e-9)


def _quantile(sample: Sample, q: float) -> Bounds:
    times = sample.merged
    ends_ms = np.minimum(highest_of(times.indices), times.max_us) / 1000
    here = int(np.searchsorted(times.indices, times.bucket_at(q)))
    return quantile_bounds(q, ends_ms, here, lambda at: sample.within(int(times.indices[at])), sample.timed)


def quantile_bounds(q: float, times: Floats, here: int, within: Callable[[int], Floats], timed: Floats) -> Bounds:
    """95 % bounds of the ``q`` quantile, which is ``times[here]``.

    ``times`` are distinct and ascending. By second, ``within(at)`` of the ``timed`` requests took no longer than
    ``times[at]``.
    """
    # The share of requests up to a time only grows with it, so each end is found by halving.
    below = bisect_left(range(here), q, key=lambda at: _highest(*_independent(within(at), timed)))
    above = bisect_left(range(len(times)), q, lo=here, key=lambda at: _lowest(*_independent(within(at), timed)))
    low = 0.0 if _highest(*_independent(np.zeros(len(timed)), timed)) >= q else float(times[below])
    return low, float(times[above]) if above < len(times) else None


def _independent(within: Floats, timed: Floats) -> tuple[float, float]:
    """How many independent requests would count, and how many not, if by second ``within`` of the ``timed`` ones do.

    Of a benchmark's rounds each is a second of its own, with one request.
    """
    count = float(timed.sum())
    share = float(within.sum()) / count
    variance, degrees = block_variance((within - share * timed) / count)
    effective = _effective(share, count, variance, degrees)
    return share * effective, (1 - share) * effective


def _lowest(inside: float, outside: float) -> float:
    """The lower 95 % bound of their share (Clopper & Pearson 1934)."""
    return float(betaincinv(inside, outside + 1, _TAIL)) if inside else 0.0


def _highest(inside: float, outside: float) -> float:
    """The upper one."""
    return float(betaincinv(inside + 1, outside, 1 - _TAIL)) if outside else 1.0


def _mean_error(sample: Sample) -> tuple[float, float]:
    """The standard error of the mean response time in ms, and its degrees of freedom."""
    count = float(sample.timed.sum())
    mean = float(sample.sum_us.sum()) / count
    variance, degrees = block_variance((sample.sum_us - mean * sample.timed) / count)
    times = sample.merged
    middle = (lowest_of(times.indices) + highest_of(times.indices)) / 2
    alone = float((times.counts * np.square(middle - mean)).sum()) / count / (count - 1)
    return math.sqrt(max(variance, alone)) / 1000, min(degrees, count - 1)


def _rate_error(sample: Sample, counted: Floats) -> tuple[float, float]:
    """The standard error of a rate per second, and its degrees of freedom."""
    # Against the planned load, second by second: that a ramp rises is its purpose, not noise.
    expected = counted.sum() * sample.planned / sample.planned.sum()
    variance, degrees = block_variance(counted - expected)
    if sample.n < FEWEST or counted.sum() < FEWEST:
        # Too little shows how seconds differ: at least as for arrivals at random.
        variance = max(variance, float(counted.sum()))
    return math.sqrt(variance) / sample.aggregate.length_s, degrees


def _proportion(sample: Sample, counted: Floats) -> Bounds:
    count = float(sample.requests.sum())
    share = float(counted.sum()) / count
    variance, degrees = block_variance((counted - share * sample.requests) / count)
    low, high = wilson(share, _effective(share, count, variance, degrees))
    return 100 * low, 100 * high


def wilson(share: float, n: float) -> tuple[float, float]:
    """95 % bounds of a ``share`` of ``n`` independent ones (Wilson 1927)."""
    square = Z * Z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = Z * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return 0.0 if share == 0 else max(0.0, centre - half), 1.0 if share == 1 else min(1.0, centre + half)


def around(value: float, error: float, degrees: float) -> tuple[float, float]:
    """95 % bounds of a value with this standard error and these degrees of freedom."""
    half = student(degrees) * error
    return max(0.0, value - half), value + half
