"""Requests added up: the one thing that a metric's value is computed from, and what adds it up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram, HistogramSum


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """Some requests, the failures among them, their response times, and the seconds over which they were spread."""

    requests: int
    started: int
    """Of the requests, those that count for the throughput; see :attr:`EndpointSecond.started`."""
    failures: int
    response: Histogram
    length_s: float

    @classmethod
    def of(cls, parts: Iterable[EndpointSecond | Aggregate], length_s: float) -> Self:
        """The sum of ``parts``, spread over ``length_s`` seconds."""
        parts = list(parts)
        return cls(
            sum(part.requests for part in parts),
            sum(part.started for part in parts),
            sum(part.failures for part in parts),
            Histogram.merged([part.response for part in parts]),
            length_s,
        )

    @property
    def rate(self) -> float:
        """Requests started a second; 0 where no time has passed."""
        return self.started / self.length_s if self.length_s > 0 else 0.0

    def quantile(self, q: float) -> float | None:
        """The response time in ms that a share ``q`` (0…1) of all requests does not exceed."""
        return self.response.quantile_us(q) / 1000 if self.response.count else None

    def mean(self) -> float | None:
        """The mean response time in ms."""
        return self.response.mean_us / 1000 if self.response.count else None

    def maximum(self) -> float | None:
        """The longest response time in ms."""
        return self.response.max_us / 1000 if self.response.count else None


class Accumulator:
    """Adds up requests as they are recorded. Each :meth:`add` costs the same, however many came before."""

    def __init__(self) -> None:
        self.requests = 0
        self.started = 0
        self.failures = 0
        self._response = HistogramSum()
        self._service: HistogramSum | None = None

    def add(self, part: EndpointSecond) -> None:
        self.requests += part.requests
        self.started += part.started
        self.failures += part.failures
        self._response.add(part.response)
        if part.service is not part.response:
            self._service = self._service or HistogramSum()
            self._service.add(part.service)

    def over(self, length_s: float) -> Aggregate:
        """What was added so far, spread over ``length_s`` seconds."""
        return Aggregate(self.requests, self.started, self.failures, self._response.whole(), length_s)

    def service_over(self, length_s: float) -> Aggregate:
        """The same with service times, which in the closed model are the response times."""
        return Aggregate(
            self.requests, self.started, self.failures, (self._service or self._response).whole(), length_s
        )
