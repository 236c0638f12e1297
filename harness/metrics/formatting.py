"""How figures and limits are said to a person: three digits, a unit, no false precision."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from harness.metrics.comparators import Comparator, is_upper
from harness.record.measurement import Interval
from harness.record.summary import GateStatus


def number(value: float) -> str:
    """Three significant digits, with thousands separated: ``0.412``, ``48.3``, ``1,240``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    if abs(value) >= 999.5:
        return f"{round(value):,}"
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_STEPS = {"s": ((1e-6, 1e-9, "ns"), (1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms")),
          "B": ((1e3, 1.0, "B"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB"), (math.inf, 1e9, "GB"))}  # fmt: skip
"""Of units that are scaled: below so much, this is one of that unit."""


def amount(value: float, unit: str) -> str:
    """A figure with its unit: ``480 ms``, ``1.2 %``, ``450/s``; of ``s`` and ``B`` scaled: ``3.2 µs``, ``1.5 MB``."""
    scale, shown = _scale(value, unit)
    return f"{number(value / scale)}{shown}" if shown in ("/s", "") else f"{number(value / scale)} {shown}"


def observed(interval: Interval, unit: str) -> str:
    """A figure and its interval: ``480 ms [455…512]``; a figure that is exact has none."""
    scale, _ = _scale(interval.value, unit)
    said, low = amount(interval.value, unit), number(interval.low / scale)
    if interval.high is None:
        return f"{said} [{low} or more]"
    return said if interval.low == interval.high else f"{said} [{low}…{number(interval.high / scale)}]"


def bound(limit: float, baseline: float | None, unit: str) -> str:
    """What a figure is held against: ``the limit of 500 ms (baseline 450 ms)``."""
    said = f"the limit of {amount(limit, unit)}"
    return said if baseline is None else f"{said} (baseline {amount(baseline, unit)})"


def side(status: GateStatus, comparator: Comparator, value: float, limit: float) -> str:
    """Where the figure of a gate that passed or failed lies: ``within``, ``at``, ``over`` or ``under`` its limit."""
    if status == "pass":
        return "within"
    if value == limit:
        return "at"
    return "over" if is_upper(comparator) else "under"


def _scale(value: float, unit: str) -> tuple[float, str]:
    steps = _STEPS.get(unit, ())
    return next(((scale, shown) for below, scale, shown in steps if abs(value) < below), (1.0, unit))


def among(name: str, known: Sequence[str]) -> str:
    """What there is instead of ``name``: the nearest first asked for, then all."""
    if not known:
        return "there were none"
    close = difflib.get_close_matches(name, known, n=1)
    ask = f"did you mean {close[0]!r}? " if close else ""
    return f"{ask}there were: {', '.join(known)}"
