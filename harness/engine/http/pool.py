"""Idle connections, kept by origin; and the limit on how many requests go to one origin at a time."""

from __future__ import annotations

import ssl
from typing import Any

from gevent.lock import Semaphore
from geventhttpclient.client import HTTPClientPool

from harness.engine.host_guard import guard
from harness.engine.http.connect import dial
from harness.engine.http.connection import Connection
from harness.engine.http.origin import Origin
from harness.engine.http.settings import Settings
from harness.engine.http.tls import context_of
from harness.engine.pacing.rate_limiter import RateLimiter


class OriginPool:
    """The connections to one origin; at most ``concurrency`` are in use at a time, others wait their turn."""

    __slots__ = ("_handed_on", "_idle", "_turns", "ceiling", "origin")

    def __init__(self, origin: Origin, concurrency: int) -> None:
        self.origin = origin
        self.ceiling = self._find_ceiling()
        """How many requests its host takes a second; None: any number."""
        self._idle: list[Connection] = []
        self._turns = concurrency
        """Those that nobody has, but for what ``_handed_on`` holds."""
        self._handed_on: Semaphore | None = None
        """Made when the first had to wait: few users ever send as many requests at a time."""

    def _find_ceiling(self) -> RateLimiter | None:
        guarding = guard()
        return None if guarding is None else guarding.ceiling(self.origin.host)

    def take_turn(self) -> float:
        """Wait until the ceiling lets a request begin; for how long it had to wait, in seconds."""
        return 0.0 if self.ceiling is None else self.ceiling.take_turn()

    def was_dialled(self) -> float:
        """Its name was looked for; where it leads to a host with a ceiling, wait as :meth:`take_turn` does."""
        if self.ceiling is not None:
            return 0.0
        self.ceiling = self._find_ceiling()
        return self.take_turn()

    def take(self) -> Connection | None:
        """A turn, and an idle connection if there is a sound one; :meth:`end_turn` or :meth:`give_back` must follow."""
        if self._turns:
            self._turns -= 1
        else:
            if self._handed_on is None:
                self._handed_on = Semaphore(0)
            self._handed_on.acquire()
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_clean():
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """The turn is over; the connection is good for another request."""
        self._idle.append(connection)
        self._pass_on()

    def end_turn(self, connection: Connection | None) -> None:
        """The turn is over, and the connection with it."""
        if connection is not None:
            connection.close()
        self._pass_on()

    def _pass_on(self) -> None:
        if self._handed_on is None:
            self._turns += 1
        else:
            self._handed_on.release()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()


class Pool:
    """A user's connections, or those of many users who share it."""

    __slots__ = ("__weakref__", "_context", "_lanes", "settings")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lanes: dict[Origin, OriginPool] = {}
        self._context: ssl.SSLContext | None = None

    @classmethod
    def behind(cls, shared: HTTPClientPool) -> Pool:
        """The pool that stands behind a ``client_pool``, which users share; closing that closes this."""
        clients: dict[Any, Any] = shared.clients
        pool: Pool | None = clients.get(_SHARED)
        if pool is None:
            pool = clients[_SHARED] = cls(Settings.of_locust_pool(shared.client_args))
        return pool

    def lane(self, origin: Origin) -> OriginPool:
        """That of ``origin``."""
        lane = self._lanes.get(origin)
        if lane is None:
            lane = self._lanes[origin] = OriginPool(origin, self.settings.concurrency)
        return lane

    def target(self, origin: Origin, target: str) -> str:
        """As the request line has it: a proxy for plain HTTP is told the whole URL (RFC 9112, section 3.2.2)."""
        return origin.url + target if self.settings.proxy_host and origin.scheme == "http" else target

    def dial(self, origin: Origin) -> Connection:
        """A new connection, in the turn that was taken on the origin's lane."""
        return dial(origin, self.settings, self._tls_context)

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = context_of(self.settings.ssl_context_factory, insecure=self.settings.insecure)
        return self._context

    def close(self) -> None:
        """Close the idle connections; the next requests make new ones."""
        for lane in self._lanes.values():
            lane.close()

    def __del__(self) -> None:
        # A user that is gone holds no connection.
        self.close()


_SHARED = ("harness", None)
