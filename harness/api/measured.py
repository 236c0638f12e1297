"""The figures of a phase and of its endpoints, by the names a test uses: ``run.phase("steady").p95``.

Times are in milliseconds, rates per second, ``error_rate`` is a share 0…1. A figure that does not exist (a percentile
of no requests) is NaN. Every comparison with NaN is false, so a test that requires something of it fails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

from harness.errors import HarnessError
from harness.messages import alternatives
from harness.record.figures import EndpointFigures, Figures, Latency
from harness.record.phase_summary import PhaseSummary
from harness.report.formatting import counted


def _figure(value: float | None) -> float:
    return math.nan if value is None else value


@dataclass(frozen=True, kw_only=True)
class Times:
    """Mean, percentiles and maximum in ms. Percentiles have 3 significant digits; mean and maximum are exact."""

    mean: float
    p50: float
    p75: float
    p90: float
    p95: float
    p99: float
    p99_9: float
    max: float

    @classmethod
    def of(cls, latency: Latency) -> Times:
        return Times(**_times(latency))


def _times(latency: Latency) -> dict[str, float]:
    return {name: _figure(value) for name, value in latency.model_dump().items()}


@dataclass(frozen=True, kw_only=True)
class Measured(Times):
    """The figures of some requests. Times are response times: from when each request should have been sent."""

    requests: int
    failures: int
    error_rate: float
    """Share of the requests that failed, 0…1."""
    throughput: float
    """Requests started per second."""
    bytes_received: int
    ok: Times
    """Response times of the requests that did not fail."""
    service: Times
    """Service times, from the actual send to the last byte: response times without the wait for a user."""

    def _in_short(self) -> str:
        return f"{counted(self.requests, 'request')}, {self.failures:,} failed, p95 {self.p95:g} ms"

    @staticmethod
    def _fields(figures: Figures) -> dict[str, Any]:
        return {
            **_times(figures.response_ms),
            "requests": figures.requests,
            "failures": figures.failures,
            "error_rate": _figure(figures.error_rate),
            "throughput": figures.throughput_rps,
            "bytes_received": figures.bytes_received,
            "ok": Times.of(figures.ok_response_ms),
            "service": Times.of(figures.service_ms),
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class MeasuredEndpoint(Measured):
    """One endpoint in one phase, by its ``method`` and the ``name`` that the scenario gives it."""

    method: str
    name: str

    @classmethod
    def of_endpoint(cls, figures: EndpointFigures) -> Self:
        return cls(method=figures.method, name=figures.name, **cls._fields(figures))

    def __str__(self) -> str:
        return f"{self.method} {self.name}"

    def __repr__(self) -> str:
        return f"<{self}: {self._in_short()}>"


@dataclass(frozen=True, kw_only=True, repr=False)
class MeasuredPhase(Measured):
    """One phase: the figures of all its requests, and of each endpoint."""

    name: str
    kind: str
    """``ramp``, ``steady``, ``stress``, ``search``, ``spike``, ``pause``, ``shape`` or ``diagnose`` (memory)."""
    goal: str
    """The load level asked for, as text: ``50 users``."""
    start_s: float
    """Seconds from the run's start."""
    end_s: float
    held: float | None
    """The highest level (users or arrivals per second) that a stress or search phase held."""
    generator_limited: str | None
    """Why the load generator was the bottleneck, or None. If it was, the figures say little about the target."""
    endpoints: tuple[MeasuredEndpoint, ...]

    @classmethod
    def of_phase(cls, phase: PhaseSummary) -> Self:
        return cls(
            name=phase.name,
            kind=phase.kind,
            goal=phase.goal,
            start_s=phase.start_s,
            end_s=phase.end_s,
            held=phase.held,
            generator_limited=phase.generator_limited,
            endpoints=tuple(map(MeasuredEndpoint.of_endpoint, phase.endpoints)),
            **cls._fields(phase),
        )

    def __repr__(self) -> str:
        doubt = f", but {self.generator_limited}" if self.generator_limited else ""
        return f"<phase {self.name}: {self._in_short()}{doubt}>"

    def endpoint(self, name: str) -> MeasuredEndpoint:
        """The endpoint ``"POST /checkout"``. Raises :class:`HarnessError` if the phase had no request to it."""
        for endpoint in self.endpoints:
            if str(endpoint) == name:
                return endpoint
        raise HarnessError(
            "run-unknown-endpoint",
            endpoint=name,
            phase=self.name,
            alternatives=alternatives(name, [*map(str, self.endpoints)]),
        )
