"""Idle connections, kept by origin; and the limit on how many requests go to one origin at a time."""

from __future__ import annotations

import ssl
from typing import Any

from gevent.lock import Semaphore
from geventhttpclient.client import HTTPClientPool

from harness.engine.host_guard import guard
from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connect import connect
from harness.engine.http.connection import Connection
from harness.engine.http.origin import Origin
from harness.engine.http.tls import make_context
from harness.engine.pacing.rate_limiter import RateLimiter


class OriginPool:
    """The connections to one origin; at most ``concurrency`` are in use at a time, others wait their turn."""

    __slots__ = ("_free_slots", "_idle", "_waiters", "origin", "rate_limiter")

    def __init__(self, origin: Origin, concurrency: int) -> None:
        self.origin = origin
        self.rate_limiter = self._find_rate_limiter()
        """How many requests its host takes a second; None: any number."""
        self._idle: list[Connection] = []
        self._free_slots = concurrency
        """Those that nobody has, but for what ``_waiters`` holds."""
        self._waiters: Semaphore | None = None
        """Made when the first had to wait: few users ever send as many requests at a time."""

    def _find_rate_limiter(self) -> RateLimiter | None:
        guarding = guard()
        return None if guarding is None else guarding.rate_limiter(self.origin.host)

    def wait_for_rate_limit(self) -> float:
        """Wait until the ceiling lets a request begin; for how long it had to wait, in seconds."""
        return 0.0 if self.rate_limiter is None else self.rate_limiter.take_turn()

    def limit_after_connect(self) -> float:
        """Its name was looked for; if that host has a limit, wait as :meth:`wait_for_rate_limit` does."""
        if self.rate_limiter is not None:
            return 0.0
        self.rate_limiter = self._find_rate_limiter()
        return self.wait_for_rate_limit()

    def acquire(self) -> Connection | None:
        """A turn, and an idle connection if there is a sound one; :meth:`discard` or :meth:`release` must follow."""
        if self._free_slots:
            self._free_slots -= 1
        else:
            if self._waiters is None:
                self._waiters = Semaphore(0)
            self._waiters.acquire()
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_clean():
                return connection
            connection.close()
        return None

    def release(self, connection: Connection) -> None:
        """The turn is over; the connection is good for another request."""
        self._idle.append(connection)
        self._free_slot()

    def discard(self, connection: Connection | None) -> None:
        """The turn is over, and the connection with it."""
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
    """A user's connections, or those of many users who share it."""

    __slots__ = ("__weakref__", "_context", "_origin_pools", "settings")

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._origin_pools: dict[Origin, OriginPool] = {}
        self._context: ssl.SSLContext | None = None

    @classmethod
    def for_client_pool(cls, shared: HTTPClientPool) -> ConnectionPool:
        """The pool that stands behind a ``client_pool``, which users share; closing that closes this."""
        clients: dict[Any, Any] = shared.clients
        pool: ConnectionPool | None = clients.get(_SHARED_POOL_KEY)
        if pool is None:
            pool = clients[_SHARED_POOL_KEY] = cls(ClientSettings.from_pool_arguments(shared.client_args))
        return pool

    def origin_pool(self, origin: Origin) -> OriginPool:
        """That of ``origin``."""
        origin_pool = self._origin_pools.get(origin)
        if origin_pool is None:
            origin_pool = self._origin_pools[origin] = OriginPool(origin, self.settings.concurrency)
        return origin_pool

    def target(self, origin: Origin, target: str) -> str:
        """As the request line has it: a proxy for plain HTTP is told the whole URL (RFC 9112, section 3.2.2)."""
        return origin.url + target if self.settings.proxy_host and origin.scheme == "http" else target

    def connect(self, origin: Origin) -> Connection:
        """A new connection, in the turn that was taken on the origin's lane."""
        return connect(origin, self.settings, self._tls_context)

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = make_context(self.settings.ssl_context_factory, insecure=self.settings.insecure)
        return self._context

    def close(self) -> None:
        """Close the idle connections; the next requests make new ones."""
        for origin_pool in self._origin_pools.values():
            origin_pool.close()

    def __del__(self) -> None:
        # A user that is gone holds no connection.
        self.close()


_SHARED_POOL_KEY = ("harness", None)
