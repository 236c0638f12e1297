"""How readings of samplers are drawn over time: a sampler declares its charts here, and every report shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["blue", "orange", "green", "red", "purple", "sky", "grey"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: the readings of ``source`` under ``value``, divided by ``scale``."""

    source: str
    value: str
    name: str
    tone: Tone
    scale: float = 1.0
    filled: bool = False


@dataclass(frozen=True, slots=True)
class LineChart:
    """A chart of readings over time. ``suffix`` is the unit beside its figures, ``empty`` the text without readings."""

    id: str
    title: str
    lines: tuple[Line, ...]
    empty: str
    note: str = ""
    suffix: str = ""
    decimals: int = 1
