"""Settings of an HTTP client: timeouts, size limits, TLS and proxy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any


@dataclass(frozen=True)
class ClientSettings:
    """Documented at the attributes of :class:`~harness.HttpUser`. Times are in seconds, sizes in bytes."""

    connection_timeout: float = 60.0
    network_timeout: float = 60.0
    exchange_timeout: float = 600.0
    max_header_bytes: int = 64 * 1024
    max_response_bytes: int = 256 * 1024 * 1024
    concurrency: int = 10
    insecure: bool = True
    ssl_context_factory: Callable[..., SSLContext] | None = None
    proxy_host: str | None = None
    proxy_port: int | None = None

    @classmethod
    def from_pool_arguments(cls, arguments: dict[str, Any]) -> ClientSettings:
        """The settings that ``HTTPClientPool(**arguments)`` has in geventhttpclient, including its own defaults."""
        known = {name: arguments[name] for name in cls.__dataclass_fields__ if name in arguments}
        defaults = {"connection_timeout": 5.0, "network_timeout": 5.0, "concurrency": 1, "insecure": False}
        return cls(**{**defaults, **known})
