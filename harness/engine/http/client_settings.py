"""Settings of an HTTP client: timeouts, size limits, TLS and proxy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ssl import SSLContext
from typing import Any

Timeout = float | tuple[float | None, float | None] | None
"""Seconds to connect and to wait for bytes, or ``(connect, wait)``; None is no limit."""
_NO_LIMIT_S = 1e9
"""A number of seconds that timers accept, 30 years."""


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
    def with_limits(cls, **arguments: Any) -> ClientSettings:
        """Settings with these arguments, where a timeout of None means no limit."""
        for name in ("connection_timeout", "network_timeout", "exchange_timeout"):
            if arguments.get(name, 0) is None:
                arguments[name] = _NO_LIMIT_S
        return cls(**arguments)

    @lru_cache(maxsize=128)  # noqa: B019  (users of a class share few settings)
    def with_timeout(self, timeout: Timeout) -> ClientSettings:
        """The settings of a request with ``timeout=``, which has the meaning of ``requests``."""
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        return self.with_limits(**{**vars(self), "connection_timeout": connect, "network_timeout": read})

    @classmethod
    def from_pool_arguments(cls, arguments: dict[str, Any]) -> ClientSettings:
        """The settings that ``HTTPClientPool(**arguments)`` has in geventhttpclient, including its own defaults."""
        known = {name: arguments[name] for name in cls.__dataclass_fields__ if name in arguments}
        defaults = {"connection_timeout": 5.0, "network_timeout": 5.0, "concurrency": 1, "insecure": False}
        return cls.with_limits(**{**defaults, **known})
