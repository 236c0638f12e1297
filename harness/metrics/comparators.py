"""The four comparisons of a value with a limit."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Literal

Comparator = Literal["<", "<=", ">", ">="]

_HOLDS: dict[Comparator, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(value: float, comparator: Comparator, limit: float) -> bool:
    """Whether ``value comparator limit`` is true."""
    return _HOLDS[comparator](value, limit)


def is_upper(comparator: Comparator) -> bool:
    """Whether the limit is one from above."""
    return comparator in ("<", "<=")
