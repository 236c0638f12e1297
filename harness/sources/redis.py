"""What Redis says of itself (``INFO``): hits and misses, evictions, memory, clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.record.resources import Line, LineChart
from harness.sources.source import TIMEOUT_S, Source, SourceKind, Values, package_missing, unreachable

if TYPE_CHECKING:
    from redis import Redis

_GAUGES = {
    "connected_clients": "connected_clients",
    "blocked_clients": "blocked_clients",
    "used_memory": "used_memory_bytes",
    "maxmemory": "maxmemory_bytes",
    "mem_fragmentation_ratio": "mem_fragmentation_ratio",
}
_COUNTERS = (
    "keyspace_hits",
    "keyspace_misses",
    "evicted_keys",
    "expired_keys",
    "total_commands_processed",
    "rejected_connections",
)


class RedisSource(Source):
    """Asks one server."""

    def __init__(self, url: str, _: Sequence[str]) -> None:
        self._url = url
        self._client: Redis | None = None

    def read(self) -> Values:
        try:
            import redis
        except ModuleNotFoundError:
            raise package_missing("redis") from None
        try:
            if self._client is None:
                self._client = redis.Redis.from_url(
                    self._url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
                )
            info: Any = self._client.info()
        except (redis.RedisError, OSError, ValueError) as error:
            raise unreachable(self._url, error) from None
        gauges = {name: float(info[field]) for field, name in _GAUGES.items() if field in info}
        if "connected_clients" in gauges:
            gauges["connected_clients"] -= 1  # ours
        return Values(
            gauges,
            {name: float(info[name]) for name in _COUNTERS if name in info},
        )

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


REDIS = SourceKind(
    name="redis",
    schemes=("redis", "rediss", "unix"),
    example="redis://127.0.0.1:6379/0",
    open=RedisSource,
    series={
        "connected_clients": "clients that are connected",
        "blocked_clients": "clients that wait in a blocking command",
        "used_memory_bytes": "memory that it uses",
        "maxmemory_bytes": "from where on it evicts; 0: no limit",
        "mem_fragmentation_ratio": "memory of the process, divided by what it uses",
        "keyspace_hits": "reads of keys that were there",
        "keyspace_misses": "reads of keys that were not",
        "evicted_keys": "keys removed because memory was full",
        "expired_keys": "keys whose time was over",
        "total_commands_processed": "commands",
        "rejected_connections": "connections beyond `maxclients`",
    },
    ratios={"hit_ratio": "keyspace_hits / (keyspace_hits + keyspace_misses)"},
    charts=(
        LineChart(
            "",
            "Hit ratio",
            (Line("", "hit_ratio", "hits of all reads", "green", scale=0.01),),
            empty="No key was read.",
            suffix=" %",
        ),
        LineChart(
            "",
            "Commands",
            (
                Line("", "total_commands_processed", "commands", "blue"),
                Line("", "evicted_keys", "evicted keys", "red"),
                Line("", "expired_keys", "expired keys", "grey"),
            ),
            empty="It was idle.",
            note="per second",
            suffix="/s",
        ),
        LineChart(
            "",
            "Memory",
            (
                Line("", "used_memory_bytes", "used", "blue", scale=1e6),
                Line("", "maxmemory_bytes", "limit", "grey", scale=1e6),
            ),
            empty="Memory was not read.",
            suffix=" MB",
        ),
        LineChart(
            "",
            "Clients",
            (
                Line("", "connected_clients", "connected", "blue"),
                Line("", "blocked_clients", "blocked", "orange"),
                Line("", "rejected_connections", "rejected per second", "red"),
            ),
            empty="No client was connected.",
            decimals=0,
        ),
    ),
)
