"""Reads and sends for all connections of a thread together, with one epoll.

gevent's loop watches that epoll as one more file. A watcher for each connection costs more for each event, and it wakes
the worker for each response. While the poller is held, only :meth:`SocketPoller.dispatch` looks for responses: a worker
that wakes for its next arrival anyway then reads, in the same wake-up, the responses that have come meanwhile. Kernels
coalesce the interrupts of network cards in the same way and for the same reason.

All responses are read first, then the users that waited for them run, then their requests are sent. Each kind of work
then finds its code and data in the processor's cache, from which a system call and a user's turn evict each other. VPP
processes packets in vectors, and SEDA requests in stages (Welsh et al. 2001), for this reason.
"""

from __future__ import annotations

import os
import select
import sys
from time import perf_counter
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from gevent import get_hub, monkey

_READABLE = 1
_EVENTS = 128
"""The most to handle before others run."""
_TOGETHER = 8
"""The most requests that are sent together: the first one waits for the users of the others."""
_new_epoll: Any = monkey.get_original("select", "epoll")


class Endpoint(Protocol):
    """A connection as the poller uses it. Only :meth:`resume` may run code of users."""

    def read(self) -> bool:
        """Read what has arrived, or the end of the connection. Returns whether a user waits for it."""

    def transmit(self) -> bool:
        """Send what was queued. Returns False if there will be no response, so that :meth:`resume` must follow."""

    def resume(self) -> None:
        """Run the users that wait for what was read."""


class SocketPoller:
    """The poller of one event loop; see :func:`poller`.

    Requests of users that run in a ``with`` block are sent together. Only code of the event loop may enter one.
    """

    def __init__(self, hub: Any) -> None:
        self._epoll = _new_epoll()
        self._poll = self._epoll.poll
        self._endpoints: dict[int, Endpoint] = {}
        # A wait for a response has a timer, which keeps the loop running.
        self._watcher = hub.loop.io(self._epoll.fileno(), _READABLE, ref=False)
        self._watcher.start(self.dispatch)
        self._held = False
        self.looked_s = 0.0
        """When :meth:`dispatch` last looked for all that is readable (``perf_counter``)."""
        self._blocks = 0
        self._queue: list[Endpoint] = []
        self._failed: list[Endpoint] = []
        _all.add(self)

    def add(self, fileno: int, endpoint: Endpoint) -> None:
        """Have ``endpoint`` read whenever there is something to read, until :meth:`remove`."""
        self._epoll.register(fileno, select.EPOLLIN)
        self._endpoints[fileno] = endpoint

    def remove(self, fileno: int) -> None:
        """Forget a file. Call it before the file is closed."""
        self._epoll.unregister(fileno)
        del self._endpoints[fileno]

    def dispatch(self) -> None:
        """Read all that is readable, then run those who wait for it. Runs in the event loop."""
        looked_s = perf_counter()
        found = self._poll(0, _EVENTS)
        self.looked_s = looked_s if len(found) < _EVENTS else 0.0
        if found:
            endpoints = self._endpoints
            readable = [endpoint for fileno, _ in found if (endpoint := endpoints[fileno]).read()]
            with self:
                self._resume(readable)

    def queue(self, endpoint: Endpoint) -> bool:
        """Have ``endpoint`` transmit together with others. Returns False outside of a block: it must transmit now."""
        if not self._blocks:
            return False
        if len(self._queue) >= _TOGETHER:
            self._transmit()
        self._queue.append(endpoint)
        return True

    def __enter__(self) -> None:
        self._blocks += 1

    def __exit__(self, *_: object) -> None:
        self._blocks -= 1
        if not self._blocks and self._queue:
            self._transmit()
            failed, self._failed = self._failed, []
            self._resume(failed)

    def _transmit(self) -> None:
        queue, self._queue = self._queue, []
        self._failed += [endpoint for endpoint in queue if not endpoint.transmit()]

    def _resume(self, endpoints: list[Endpoint]) -> None:
        for endpoint in endpoints:
            try:
                endpoint.resume()
            except BaseException:  # noqa: BLE001  (raised by a greenlet that is not gevent's; the others must run)
                get_hub().handle_error(endpoint, *sys.exc_info())

    def hold(self) -> None:
        """Until :meth:`release`, let nothing wake the event loop: the caller calls :meth:`dispatch` soon."""
        if not self._held:
            self._held = True
            self._watcher.stop()

    def release(self) -> None:
        """Let the event loop call :meth:`dispatch` as soon as there is something to read."""
        if self._held:
            self._held = False
            self._watcher.start(self.dispatch)

    def renew(self) -> None:
        """After a fork: this process must not change what its parent watches, nor send what its parent sends."""
        self._queue.clear()
        fileno = self._epoll.fileno()
        own = _new_epoll()
        os.dup2(own.fileno(), fileno, inheritable=False)
        own.close()
        for watched in self._endpoints:
            self._epoll.register(watched, select.EPOLLIN)


_pollers: WeakKeyDictionary[Any, SocketPoller] = WeakKeyDictionary()
_all: WeakSet[SocketPoller] = WeakSet()


def poller() -> SocketPoller:
    """The poller of this thread's event loop."""
    hub: Any = get_hub()
    found = _pollers.get(hub)
    if found is None:
        found = _pollers[hub] = SocketPoller(hub)
    return found


def _renew_all() -> None:
    for each in list(_all):
        each.renew()


os.register_at_fork(after_in_child=_renew_all)
