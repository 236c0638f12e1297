"""Figures of requests: how many, how many failed, how long they took, how late they started."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Latency(BaseModel):
    """Percentiles over all requests, in ms, of 3 significant digits; mean and max are exact."""

    model_config = ConfigDict(populate_by_name=True)

    mean: float | None = None
    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p99_9: float | None = Field(None, alias="p99.9")
    max: float | None = None


class Figures(BaseModel):
    """The figures of one endpoint, or of all together, in one phase."""

    requests: int = 0
    failures: int = 0
    error_rate: float | None = None
    throughput_rps: float = 0.0
    """Requests that started in the phase, per second."""
    bytes_received: int = 0
    response_ms: Latency = Latency()
    ok_response_ms: Latency = Latency()
    """Over the successful requests only."""
    service_ms: Latency = Latency()


class EndpointFigures(Figures):
    method: str = ""
    name: str = ""


class Lag(BaseModel):
    """Percentiles of a delay, in ms."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None
