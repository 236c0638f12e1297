"""JSON as standardized: without ``NaN``, ``Infinity`` and numbers that overflow a float."""

from __future__ import annotations

import json
import math
from typing import Any, Never


def parse_json(text: str | bytes) -> Any:
    """The value of a text. Raises ``ValueError``, and ``RecursionError`` if it is nested too deep."""
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


def _no_number(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value
