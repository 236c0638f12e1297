"""Keeps idle connections by origin, and limits how many requests go to an origin at a time."""

from __future__ import annotations

import ssl
from typing import Any

from gevent.lock import Semaphore
from geventhttpclient.client import HTTPClientPool

from harness.engine.host_guard import guard
from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connection import Connection
from harness.engine.http.origin import Origin
from harness.engine.http.tls import make_context
from harness.engine.pacing.rate_limiter import RateLimiter


class OriginPool:
    """The connections to one origin. At most ``concurrency`` are in use at a time; further requests wait."""

    def __init__(self, origin: Origin, concurrency: int) -> None:
        self.origin = origin
        self.rate_limiter = self._find_rate_limiter()
        """Limits the requests per second to the host, if a limit is configured."""
        self._idle: list[Connection] = []
        self._free_slots = concurrency
        """Requests that may start at once; superseded by ``_waiters`` once that exists."""
        self._waiters: Semaphore | None = None
        """Created when a request has to wait for the first time, which is rare."""

    def _find_rate_limiter(self) -> RateLimiter | None:
        host_guard = guard()
        return None if host_guard is None else host_guard.rate_limiter(self.origin.host)

    def wait_for_rate_limit(self) -> float:
        """Wait until the rate limit allows a request, and return the seconds waited."""
        return 0.0 if self.rate_limiter is None else self.rate_limiter.take_turn()

    def limit_after_connect(self) -> float:
        """Like :meth:`wait_for_rate_limit`, if the look-up of the name has only now revealed a host with a limit."""
        if self.rate_limiter is not None:
            return 0.0
        self.rate_limiter = self._find_rate_limiter()
        return self.wait_for_rate_limit()

    def acquire(self) -> Connection | None:
        """Wait until a request may start; return an idle connection, or None if a new one is needed.

        :meth:`release` or :meth:`discard` must follow.
        """
        if self._free_slots:
            self._free_slots -= 1
        else:
            if self._waiters is None:
                self._waiters = Semaphore(0)
            self._waiters.acquire()
        idle = self._idle
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            connection.close()
        return None

    def take_idle(self) -> Connection | None:
        """An idle connection, unchecked, if there is one and a request may start at once.

        :meth:`release` or :meth:`discard` must follow if there is one.
        """
        if not self._idle or not self._free_slots:
            return None
        self._free_slots -= 1
        return self._idle.pop()

    def release(self, connection: Connection) -> None:
        """End a request and keep its connection for the next one."""
        self._idle.append(connection)
        if self._waiters is None:
            self._free_slots += 1
        else:
            self._waiters.release()

    def discard(self, connection: Connection | None) -> None:
        """End a request and close its connection."""
        if connection is not None:
            connection.close()
        self._free_slot()

    def _free_slot(self) -> None:
        if self._waiters is None:
            self._free_slots += 1
        else:
            self._waiters.release()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()


class ConnectionPool:
    """The connections of one user, or of all users that share a pool."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._origin_pools: dict[Origin, OriginPool] = {}
        self._context: ssl.SSLContext | None = None

    @classmethod
    def for_client_pool(cls, shared: HTTPClientPool) -> ConnectionPool:
        """The pool behind a ``client_pool`` that users share. Closing that one closes this one."""
        clients: dict[Any, Any] = shared.clients
        pool: ConnectionPool | None = clients.get(_SHARED_POOL_KEY)
        if pool is None:
            pool = clients[_SHARED_POOL_KEY] = cls(ClientSettings.from_pool_arguments(shared.client_args))
        return pool

    def origin_pool(self, origin: Origin) -> OriginPool:
        """The connections to ``origin``."""
        origin_pool = self._origin_pools.get(origin)
        if origin_pool is None:
            origin_pool = self._origin_pools[origin] = OriginPool(origin, self.settings.concurrency)
        return origin_pool

    @property
    def client_args(self) -> dict[str, Any]:
        """The settings, as geventhttpclient's pool has them."""
        return vars(self.settings)

    def tls_context(self) -> ssl.SSLContext:
        """The TLS context, created when it is needed."""
        if self._context is None:
            self._context = make_context(self.settings.ssl_context_factory, insecure=self.settings.insecure)
        return self._context

    def close(self) -> None:
        """Close the idle connections. Later requests open new ones."""
        for origin_pool in self._origin_pools.values():
            origin_pool.close()

    def __del__(self) -> None:
        # A dropped user must not keep connections open.
        self.close()


_SHARED_POOL_KEY = ("harness", None)
