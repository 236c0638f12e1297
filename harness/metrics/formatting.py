"""How figures are shown to people: three significant digits and a unit.

The classes are numbers that format themselves, so that the parameters of a message stay figures.
"""

from __future__ import annotations

import math
from typing import Self

from harness.record.measurement import Interval


def number(value: float, digits: int = 3) -> str:
    """``digits`` significant digits, more if the value is larger than that: ``0.412``, ``48.3``, ``1,240``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 10**digits - 0.5:
        return f"{round(value):,}"
    text = f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _nearly_all(percent: float) -> str:
    """A share just below 100 % with two digits of what is missing: ``99.95``."""
    text = f"{percent:.{1 - math.floor(math.log10(100 - percent))}f}"
    return text.rstrip("0").rstrip(".")


def title(metric: str) -> str:
    """A metric as a sentence names it: ``P95``, ``error rate``, ``CPU per request``."""
    if metric[:1] == "p" and metric[1:].isdigit():
        return metric.upper()
    if "(" in metric:  # a name that somebody else has given: metric("pool_in_use").max
        return metric
    return metric.replace("_", " ").replace("cpu", "CPU")


_BYTES = ((1e3, 1.0, "B"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB"), (1e12, 1e9, "GB"), (math.inf, 1e12, "TB"))
_STEPS = {
    "ms": ((1e4, 1.0, "ms"), (math.inf, 1e3, "s")),
    "s": ((1e-6, 1e-9, "ns"), (1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms")),
    "B": _BYTES,
    "B/min": tuple((below, scale, f"{unit}/min") for below, scale, unit in _BYTES),
}
"""Of units that are scaled: below the first number, one of the named unit is the second number."""


class Amount(float):
    """A figure in ``unit`` that reads ``480 ms``, ``1.2 %`` or ``450/s``; ``ms``, ``s``, ``B`` are scaled."""

    unit: str

    def __new__(cls, value: float, unit: str) -> Self:
        amount = super().__new__(cls, value)
        amount.unit = unit
        return amount

    def __str__(self) -> str:
        if self.unit == "%" and 99 <= self < 100:
            return f"{_nearly_all(self)} %"
        scale, unit = self._scale()
        return f"{number(self / scale)}{unit}" if unit in ("/s", "") else f"{number(self / scale)} {unit}"

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else str(self)

    def _scale(self) -> tuple[float, str]:
        steps = _STEPS.get(self.unit, ()) if self else ()
        return next(((scale, unit) for below, scale, unit in steps if abs(self) < below), (1.0, self.unit))


class Signed(Amount):
    """A change: ``+12 %``, ``−3.1 %``."""

    def __str__(self) -> str:
        sign = "+" if self > 0 else "−" if self < 0 else "±"
        return f"{sign}{Amount(abs(self), self.unit)}"


class Estimate(Amount):
    """A figure with its 95 % interval: ``480 ms [455…512]``. An exact one reads ``480 ms``."""

    interval: Interval

    def __new__(cls, interval: Interval, unit: str) -> Self:
        estimate = super().__new__(cls, interval.value, unit)
        estimate.interval = interval
        return estimate

    def __str__(self) -> str:
        (scale, _), text = self._scale(), super().__str__()
        low, high = self.interval.low, self.interval.high
        if high is None:
            return f"{text} [{number(low / scale)} or more]"
        return text if low == high else f"{text} [{number(low / scale)}…{number(high / scale)}]"


class Limit(Amount):
    """What a figure must not exceed, or fall below: ``500 ms``, or ``495 ms (baseline 450 ms)``.

    ``slower``: the baseline is that at this run's machine speed, as the machine was slower by so much.
    """

    baseline: float | None
    slower: float | None

    def __new__(cls, value: float, unit: str, baseline: float | None = None, slower: float | None = None) -> Self:
        limit = super().__new__(cls, value, unit)
        limit.baseline, limit.slower = baseline, slower
        return limit

    def __str__(self) -> str:
        text = super().__str__()
        if self.baseline is None:
            return text
        speed = "" if self.slower is None else f" at equal machine speed{speed_change(self.slower)}"
        return f"{text} (baseline {Amount(self.baseline, self.unit)}{speed})"


def speed_change(slower: float) -> str:
    """``; the machine was 7 % slower``, or nothing where it was as fast."""
    if abs(slower) < 0.005:
        return ""
    return f"; the machine was {Amount(round(100 * abs(slower)), '%')} {'slower' if slower > 0 else 'faster'}"
