"""Sizes and rates of bytes: parsed from what people write."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

from harness.errors import InvalidValue
from harness.metrics.units import BYTES
from harness.quantities import parse_share

_MOST_BYTES = 1 << 60
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(\D*)")


def parse_bytes(value: object) -> int:
    """Bytes, from ``"10KB"``, ``"1.5MiB"`` or a whole number. Raises ``InvalidValue``."""
    return round(_scaled(value, "", "bytes-invalid"))


def _parse_rate(value: object) -> float:
    rate = _scaled(value, "/s", "byte-rate-invalid")
    if rate == 0:
        raise InvalidValue("byte-rate-invalid", value=value)
    return rate


def _scaled(value: object, ending: str, invalid: str) -> float:
    """A possible number of bytes of a file or line; ``invalid`` is the code of the error for anything else."""
    found = _AMOUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    unit = found[2].removesuffix(ending) if found and found[2].endswith(ending) else ""
    amount = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        amount = value
    elif found is not None and unit in BYTES.scales:
        amount = float(found[1]) * BYTES.scales[unit]
    if not 0 <= amount <= _MOST_BYTES:  # not a number is neither
        raise InvalidValue(invalid, value=value)
    return float(amount)


def _share_or_bytes(value: object) -> str:
    if isinstance(value, str) and value.strip().endswith("%"):
        parse_share(value)
        return value
    if (size := parse_bytes(value)) == 0:
        raise InvalidValue("bytes-invalid", value=value)
    return value if isinstance(value, str) else f"{size}B"  # because it is read again in another process


def bytes_of(amount: str, whole: int) -> int:
    """How much a :data:`ShareOrBytes` is of ``whole`` bytes."""
    return round(parse_share(amount) * whole) if amount.strip().endswith("%") else parse_bytes(amount)


Bytes = Annotated[int, BeforeValidator(parse_bytes)]
BytesPerSecond = Annotated[float, BeforeValidator(_parse_rate)]
ShareOrBytes = Annotated[str, BeforeValidator(_share_or_bytes)]
"""``"70%"`` of what there is, or ``"2GiB"``."""
