"""What Prometheus can scrape from the shop at /metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The shop's own registry, so that several shops in one process (tests) do not mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "shop_requests", "Requests, by outcome.", ["method", "route", "status"], registry=self._registry
        )
        self._latency = Histogram(
            "shop_request_duration_seconds",
            "From arrival to the last byte handed to the socket.",
            ["method", "route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self.cache_hits = Counter("shop_cache_hits", "Reads found in the cache.", registry=self._registry)
        self.cache_misses = Counter("shop_cache_misses", "Reads not found in the cache.", registry=self._registry)

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Adds a gauge that asks ``value`` at each scrape."""
        Gauge(name, meaning, registry=self._registry).set_function(value)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Notes one request that is done."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)
