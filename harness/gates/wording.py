"""How figures and limits are said to a person: three digits, a unit, no false precision."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from harness.record.baseline import Interval


def number(value: float) -> str:
    """Three significant digits, with thousands separated: ``0.412``, ``48.3``, ``1,240``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    if abs(value) >= 999.5:
        return f"{round(value):,}"
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: float, unit: str) -> str:
    """A figure with its unit: ``480 ms``, ``1.2 %``, ``450/s``."""
    return f"{number(value)}{unit}" if unit == "/s" else f"{number(value)} {unit}"


def observed(interval: Interval, unit: str) -> str:
    """A figure and its interval: ``480 ms [455…512]``; a figure that is exact has none."""
    if interval.high is None:
        return f"{amount(interval.value, unit)} [{number(interval.low)} or more]"
    if interval.low == interval.high:
        return amount(interval.value, unit)
    return f"{amount(interval.value, unit)} [{number(interval.low)}…{number(interval.high)}]"


def among(name: str, known: Sequence[str]) -> str:
    """What there is instead of ``name``: the nearest first asked for, then all."""
    if not known:
        return "there were none"
    close = difflib.get_close_matches(name, known, n=1)
    ask = f"did you mean {close[0]!r}? " if close else ""
    return f"{ask}there were: {', '.join(known)}"
