"""Figures for people: ``1,234``, ``12.3 ms``, ``0.4 %``.

A figure that does not exist is shown as ``–``. A no-break space separates a number from its unit.
"""

from __future__ import annotations

from datetime import datetime

from harness.metrics import formatting

NONE = "–"
_SPACE = "\u00a0"
_AS_FACTOR = 10.0
_DECIMALS = 4
"""Of a change's share: nothing is measured to less than 0.01 %."""


def number(value: float | None, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits (more if it is larger than that), thousands separated by commas."""
    if value is None or value != value:
        return NONE
    return f"{value:,}" if isinstance(value, int) else formatting.number(value, digits)


def counted(count: int, what: str) -> str:
    """``1 benchmark``, ``2,400 rounds``."""
    return f"{number(count)} {what}" if count == 1 else f"{number(count)} {what}s"


def load(level: float, model: str, digits: int = 3) -> str:
    """``1 user``, ``200 arrivals/s``."""
    unit = "arrivals/s" if model == "open" else "user" if level == 1 else "users"
    return f"{number(level, digits)} {unit}"


def in_unit(value: float | None, unit: str) -> str:
    """A figure in ``unit``: ``ms``, ``%`` (0…100), ``/s``, ``s``, ``B``, or any other."""
    return NONE if value is None or value != value else str(formatting.Amount(value, unit)).replace(" ", _SPACE)


def ms(value: float | None) -> str:
    """Milliseconds, from 10 s upwards in seconds."""
    return in_unit(value, "ms")


def seconds(value: float | None) -> str:
    """Seconds in the unit that suits them: ``312 ns``, ``4.7 µs``, ``12 ms``, ``1.5 s``."""
    return in_unit(value, "s")


def rate(value: float | None) -> str:
    """Per second."""
    return in_unit(value, "/s")


def size(value: float | None) -> str:
    """Bytes, in steps of 1,000."""
    return in_unit(value, "B")


def percent(share: float | None) -> str:
    """A share (0…1) in per cent."""
    return in_unit(None if share is None else share * 100, "%")


def change(share: float | None) -> str:
    """A relative change in per cent with its sign (``+12 %``), from eleven times as much on as a factor (``×11``)."""
    if share is None or share != share:
        return NONE
    if share >= _AS_FACTOR:
        return f"×{number(1 + share)}"
    share = round(share, _DECIMALS)
    return f"{_sign(share)}{percent(abs(share))}"


def points(share: float | None) -> str:
    """A difference of two shares in percentage points, with its sign."""
    if share is None or share != share:
        return NONE
    share = round(share, _DECIMALS)
    return f"{_sign(share)}{number(abs(share) * 100, 2)}{_SPACE}pp"


def _sign(value: float) -> str:
    return "+" if value > 0 else "−" if value < 0 else "±"


def duration(seconds: float | None) -> str:
    """``34 s``, ``1 min 30 s``, ``1 h 2 min``."""
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{number(float(seconds))}{_SPACE}s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else left, "s")]
    return " ".join(f"{count}{_SPACE}{unit}" for count, unit in parts if count)


def date_time(iso: str) -> str:
    """An ISO 8601 time as ``2 January 2026, 03:04:05 UTC``; any other text unchanged."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{at.day} {at:%B %Y, %H:%M:%S} {at.tzname() or 'UTC'}"


def interval(bounds: tuple[float, float | None] | None, unit: str) -> str:
    """A gate's 95 % interval; ``?`` is an upper end that the data cannot bound."""
    if bounds is None:
        return NONE
    low, high = bounds
    return f"{in_unit(low, unit)} … {'?' if high is None else in_unit(high, unit)}"
