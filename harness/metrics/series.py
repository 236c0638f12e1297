"""Figures of series from the surroundings: ``metric("shop_db_pool_in_use").max``, and ratios.

A series is named as in Prometheus, with labels if only some of its samples count:
``http_requests_total{status="500"}``. ``NAME.`` before it is that of a source, ``[metrics.NAME]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from harness.metrics.metric import Direction, Metric
from harness.metrics.units import BYTES, NUMBER, SECONDS, Unit

SeriesStatistic = Literal["max", "mean", "min", "last", "rate"]
STATISTICS: tuple[SeriesStatistic, ...] = get_args(SeriesStatistic)
SYNONYMS: dict[str, SeriesStatistic] = {
    "maximum": "max", "peak": "max", "minimum": "min", "avg": "mean", "average": "mean", "latest": "last",
    "value": "last", "per_second": "rate", "throughput": "rate",
}  # fmt: skip
"""Words from other tools."""

_ONE = r"""metric\s*\(\s*(?:"[^"]*"|'[^']*')\s*\)\s*\.?\s*\w*"""
PATTERN = rf"(?i:{_ONE}(?:\s*\/\s*{_ONE})?)"
"""A figure or a quotient of two, as the grammar of requirements finds it; the statistic may be missing or wrong."""
_PARTS = re.compile(r"""\(\s*(?:"([^"]*)"|'([^']*)')\s*\)\s*\.?\s*(\w*)""")


@dataclass(frozen=True, slots=True)
class SeriesFigure:
    """A statistic of a series over a phase; with ``per``, divided by another."""

    series: str
    statistic: str
    per: SeriesFigure | None = None

    @classmethod
    def parse(cls, text: str) -> SeriesFigure:
        """What :data:`PATTERN` found. The statistic is not checked."""
        parts = [
            cls((double or single).strip(), SYNONYMS.get(word.lower(), word.lower()))
            for double, single, word in _PARTS.findall(text)
        ]
        return cls(parts[0].series, parts[0].statistic, parts[1] if len(parts) > 1 else None)

    @property
    def parts(self) -> tuple[SeriesFigure, ...]:
        """Itself, and what it is divided by."""
        return (self,) if self.per is None else (self, self.per)

    def __str__(self) -> str:
        quote = "'" if '"' in self.series else '"'
        text = f"metric({quote}{self.series}{quote}).{self.statistic}"
        return text if self.per is None else f"{text} / {self.per}"

    def value(self, data: float) -> float:
        """The figure, which :mod:`harness.analysis.series` computes."""
        return data

    @property
    def unit(self) -> Unit:
        """The unit that Prometheus' naming gives the series. A plain number is right everywhere."""
        if self.per is not None or self.series.endswith("ratio"):
            return _RATIO
        base = re.sub(r"\{.*|_total$|_sum$", "", self.series)
        if self.statistic == "rate":
            return _BYTE_RATE if base.endswith("_bytes") else _RATE
        return next((unit for ending, unit in _BY_ENDING.items() if base.endswith(ending)), NUMBER)


def _plain_or(name: str, scales: dict[str, float], wording: str, example: str) -> Unit:
    return Unit(name, {"": 1.0, **scales}, f"a plain number, or {wording}", example, completed=str)


_RATIO = _plain_or("", {"%": 0.01}, "in percent", "0.8")
_RATE = _plain_or("/s", {"/s": 1.0}, "per second, as /s", "100/s")
_BYTE_RATE = _plain_or("/s", {f"{name}/s": scale for name, scale in BYTES.scales.items()}, "in kB/s or MB/s", "1MB/s")
_BY_ENDING = {
    "_seconds": _plain_or("s", dict(SECONDS.scales), SECONDS.wording, "20ms"),
    "_bytes": _plain_or("B", dict(BYTES.scales), BYTES.wording, "100MB"),
    "_percent": _plain_or("", {"%": 1.0}, "in percent", "80%"),
}


@cache
def series_metric(name: str, better: Direction = "lower") -> Metric[float]:
    """The metric of a figure by its name, ``metric("x").max``; which direction is better, only its gate knows."""
    figure = SeriesFigure.parse(name)
    what = f"{figure.statistic} of {figure.series}"
    return Metric(name, figure.unit, better, figure, what, needs="metrics", between_runs=0.05)


def is_series(name: str) -> bool:
    """Whether a metric's name is that of a series' figure."""
    return name.startswith("metric(")
