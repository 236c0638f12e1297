"""The units of metrics: how people write them, and what a number without one most likely means."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass


def _with(unit: str) -> Callable[[str], str]:
    return lambda number: number + unit


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit in which a metric's figures are kept and shown."""

    name: str
    """As shown: ``ms``, ``%``, ``/s``; empty for a plain number."""
    scales: Mapping[str, float]
    """Each unit that a limit may be written in, and how many of this unit it is."""
    wording: str
    """How a limit is written: ``in ms, s, us or m``."""
    example: str
    """A limit as a user would write it: ``500ms``."""
    completed: Callable[[str], str]
    """A number that was written without a unit, with the most likely one."""
    most: float = math.inf
    """The greatest value there can be."""
    is_signed: bool = False
    """Whether figures may be below 0; they are then compared by difference."""
    is_share: bool = False
    """A share changes by percentage points; anything else by a percentage of what it was."""


def _as_milliseconds(number: str) -> str:
    return f"{number}s" if "." in number and float(number) < 10 else f"{number}ms"


def _as_percent(number: str) -> str:
    value = float(number)
    return f"{value * 100:.3f}".rstrip("0").rstrip(".") + "%" if 0 < value < 1 else f"{number}%"


MILLISECONDS = Unit(
    "ms",
    {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0},
    wording="in ms, s, us or m",
    example="500ms",
    completed=_as_milliseconds,
)
PERCENT = Unit("%", {"%": 1.0}, wording="in percent", example="1%", completed=_as_percent, most=100.0, is_share=True)
DURATION = Unit("s", {"ms": 0.001, "s": 1.0, "m": 60.0}, wording="in ms, s or m", example="10s", completed=_with("s"))
PER_SECOND = Unit("/s", {"/s": 1.0}, wording="per second, as /s", example="450/s", completed=_with("/s"))
SECONDS = Unit(
    "s",
    {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
    wording="in ns, us, ms or s",
    example="2ms",
    completed=_with("ms"),
)
BYTES = Unit(
    "B",
    {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    wording="in B, kB, MB, KiB or MiB",
    example="10MB",
    completed=_with("MB"),
)
BYTES_PER_MINUTE = Unit(
    "B/min",
    {f"{name}/min": scale for name, scale in BYTES.scales.items()},
    wording="in kB/min, MB/min, KiB/min or MiB/min",
    example="1MB/min",
    completed=_with("MB/min"),
    is_signed=True,
)
NUMBER = Unit("", {"": 1.0}, wording="a plain number", example="100", completed=_with(""))
