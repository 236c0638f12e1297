"""Durations, arrival rates, numbers of users and shares, parsed and formatted as people write them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator

from harness.errors import InvalidValue

_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m(?!s))?"
                       r"(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+(?:\.\d+)?)ms)?")  # fmt: skip
_LONG_UNITS = {"hour": "h", "hr": "h", "minute": "m", "min": "m", "second": "s", "sec": "s",
               "millisecond": "ms", "msec": "ms", "milli": "ms"}  # fmt: skip
_LONG_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-z]+?)s?", re.IGNORECASE)
_RATE = re.compile(r"(?P<number>[+-]?\d+(?:\.\d+)?)\s*(?P<unit>\S.*)?")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
MOST_USERS = 10_000_000
_MOST_RATE = 10_000_000
_LONGEST_S = 366 * 86_400.0


def parse_duration(value: object) -> float:
    """Seconds, from ``"20s"``, ``"1m30s"``, ``"500ms"``, ``"2h"`` or a number of seconds; always more than 0.

    Raises ``InvalidValue``.
    """
    seconds = _finite(value, "duration-invalid", _duration_of_text)
    if seconds <= 0:
        raise InvalidValue("duration-not-positive", value=value)
    if seconds > _LONGEST_S:
        raise InvalidValue("duration-too-long", value=value, most=duration_text(_LONGEST_S))
    return seconds


def _finite(value: object, invalid: str, of_text: Callable[[str], float]) -> float:
    """A number, or a text that means one; ``invalid`` is the code for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidValue(invalid, value=value)
    try:
        number = of_text(value) if isinstance(value, str) else float(value)
    except OverflowError:  # a whole number beyond all floats
        number = math.inf
    if not math.isfinite(number):
        raise InvalidValue(invalid, value=value)
    return number


def _duration_of_text(text: str) -> float:
    stripped = text.strip()
    unsigned = stripped.removeprefix("-")
    match = _DURATION.fullmatch(unsigned)
    if not unsigned or match is None:
        raise _no_duration(text, unsigned)
    seconds = sum(float(number) * _UNIT_S[unit] for unit, number in match.groupdict().items() if number)
    return -seconds if stripped != unsigned else seconds


def _no_duration(value: str, unsigned: str) -> InvalidValue:
    """Suggests the right spelling where the meaning is plain: ``10 sec`` is ``10s``."""
    if re.fullmatch(r"\d+(?:\.\d+)?", unsigned):
        return InvalidValue("duration-without-unit", value=value, meant=f"{unsigned}s")
    long = _LONG_DURATION.fullmatch(unsigned)
    unit = long["unit"].lower() if long else ""
    unit = _LONG_UNITS.get(unit, unit)
    if long and unit in _UNIT_S:
        return InvalidValue("duration-misspelled", value=value, meant=f"{long['number']}{unit}")
    return InvalidValue("duration-invalid", value=value)


def parse_rate(value: object) -> float:
    """Arrivals per second, from ``"200/s"`` or a number; 0 or more. Raises ``InvalidValue``."""
    rate = _finite(value, "rate-invalid", _rate_of_text)
    if rate < 0:
        raise InvalidValue("rate-negative", value=value)
    if rate > _MOST_RATE:
        raise InvalidValue("rate-too-high", value=value, most=_MOST_RATE)
    return rate


def _rate_of_text(text: str) -> float:
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise InvalidValue("rate-invalid", value=text)
    unit = match["unit"]
    if unit not in (None, "/s"):
        raise InvalidValue("rate-unknown-unit", value=text, unit=unit)
    return float(match["number"])


def parse_users(value: object) -> int:
    """A number of users, 0 or more. Raises ``InvalidValue``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValue("users-invalid", value=value)
    if value < 0:
        raise InvalidValue("users-negative", value=value)
    if value > MOST_USERS:
        raise InvalidValue("users-too-many", value=value, most=MOST_USERS)
    return value


def parse_share(value: object) -> float:
    """A share (0…1), from ``"5%"`` or ``0.05``; more than 0. Raises ``InvalidValue``."""
    share = parse_share_or_zero(value)
    if share == 0:
        raise InvalidValue("share-invalid", value=value)
    return share


def parse_share_or_zero(value: object) -> float:
    """As :func:`parse_share`, or 0."""
    found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    share = float(found[1]) / 100 if found else value
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InvalidValue("share-invalid", value=value)
    return float(share)


def _above_zero(parse: Callable[[object], float], zero: str) -> BeforeValidator:
    """``zero`` is the code for 0."""

    def check(value: object) -> float:
        number = parse(value)
        if number == 0:
            raise InvalidValue(zero)
        return number

    return BeforeValidator(check)


Duration = Annotated[float, BeforeValidator(parse_duration)]
"""Seconds, more than 0."""
Rate = Annotated[float, _above_zero(parse_rate, "rate-zero")]
"""Arrivals per second, more than 0."""
RateOrZero = Annotated[float, BeforeValidator(parse_rate)]
"""Arrivals per second, 0 or more."""
Users = Annotated[int, _above_zero(parse_users, "users-zero")]
"""A number of users, at least 1."""
UsersOrZero = Annotated[int, BeforeValidator(parse_users)]
"""A number of users, 0 or more."""
Share = Annotated[float, BeforeValidator(parse_share)]
"""More than 0, at most 1."""


def duration_text(seconds: float) -> str:
    """``90`` as ``1 min 30 s``; below a second in ms."""
    if seconds < 1:
        return f"{number_text(seconds * 1000)} ms"
    minutes, rest_s = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours} h"] if hours else []
    parts += [f"{minutes} min"] if minutes else []
    parts += [f"{number_text(rest_s)} s"] if rest_s else []
    return " ".join(parts)


def number_text(value: float) -> str:
    """``5000.0`` as ``5,000``, ``2.5`` as it is."""
    return f"{round(value, 3):,.3f}".rstrip("0").rstrip(".")
