"""The statistics of metrics. A metric of one of these kinds needs only its declaration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

_Data = TypeVar("_Data")


class Times(Protocol):
    """Response times, or the times of a benchmark's rounds, in the unit of their metrics; None where there is none."""

    def quantile(self, q: float) -> float | None: ...
    def mean(self) -> float | None: ...
    def maximum(self) -> float | None: ...


class Counts(Protocol):
    """Counted requests: whole numbers, or an array of them with one for each second."""

    @property
    def requests(self) -> Any: ...
    @property
    def started(self) -> Any: ...
    @property
    def failures(self) -> Any: ...


class CountsOverTime(Counts, Protocol):
    @property
    def length_s(self) -> float: ...


Count = Callable[[Counts], Any]
"""Picks what is counted: ``lambda counts: counts.failures``."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """The time that a share ``q`` (0…1) of all does not exceed."""

    q: float

    def value(self, data: Times) -> float | None:
        return data.quantile(self.q)


@dataclass(frozen=True, slots=True)
class Mean:
    """The arithmetic mean of all times."""

    def value(self, data: Times) -> float | None:
        return data.mean()


@dataclass(frozen=True, slots=True)
class Maximum:
    """The longest time. It has no interval: it is what was observed."""

    def value(self, data: Times) -> float | None:
        return data.maximum()


@dataclass(frozen=True, slots=True)
class Proportion:
    """The share of all requests that ``count`` picks, in per cent."""

    count: Count

    def value(self, data: Counts) -> float | None:
        return 100 * int(self.count(data)) / data.requests if data.requests else None


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of the requests that ``count`` picks there were a second."""

    count: Count

    def value(self, data: CountsOverTime) -> float | None:
        return int(self.count(data)) / data.length_s if data.requests and data.length_s > 0 else None


@dataclass(frozen=True, slots=True)
class Exact(Generic[_Data]):
    """Something counted without noise: two runs of one build give the same figure."""

    read: Callable[[_Data], float | None]

    def value(self, data: _Data) -> float | None:
        return self.read(data)
