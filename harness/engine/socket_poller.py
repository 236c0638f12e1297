"""Finds which connections have become readable, with one epoll for all connections of a thread.

gevent's loop watches that epoll as one more file. A watcher for each connection costs more for each event, and it wakes
the worker for each response. While the poller is held, only :meth:`SocketPoller.dispatch` looks for responses: a worker
that wakes for its next arrival anyway then reads, in the same wake-up, the responses that have come meanwhile. Kernels
coalesce the interrupts of network cards in the same way and for the same reason.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from gevent import get_hub, monkey

_READABLE = 1
_EVENTS = 128
"""The most to handle before others run."""
_new_epoll: Any = monkey.get_original("select", "epoll")


class SocketPoller:
    """The poller of one event loop; see :func:`poller`."""

    def __init__(self, hub: Any) -> None:
        self._epoll = _new_epoll()
        self._poll = self._epoll.poll
        self._readers: dict[int, Callable[[], object]] = {}
        # A wait for a response has a timer, which keeps the loop running.
        self._watcher = hub.loop.io(self._epoll.fileno(), _READABLE, ref=False)
        self._watcher.start(self.dispatch)
        self._held = False
        self.looked_s = 0.0
        """When :meth:`dispatch` last looked for all that is readable (``perf_counter``)."""
        self.unread: set[int] = set()
        """What it found then, and no reader has been called for yet."""
        _all.add(self)

    def add(self, fileno: int, reader: Callable[[], object]) -> None:
        """Call ``reader`` whenever there is something to read, or the end of the connection, until :meth:`remove`."""
        self._epoll.register(fileno, select.EPOLLIN)
        self._readers[fileno] = reader

    def remove(self, fileno: int) -> None:
        """Forget a file. Call it before the file is closed."""
        self._epoll.unregister(fileno)
        del self._readers[fileno]

    def dispatch(self) -> None:
        """Call the readers of all that is readable. Runs in the event loop."""
        readers = self._readers
        looked_s = perf_counter()
        found = self._poll(0, _EVENTS)
        self.looked_s = looked_s if len(found) < _EVENTS else 0.0
        unread = self.unread = {fileno for fileno, _ in found}
        for fileno, _ in found:
            unread.discard(fileno)
            reader = readers.get(fileno)
            if reader is not None:  # an earlier reader may have closed it
                reader()

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
        """After a fork: what this process watches must not change what its parent watches."""
        fileno = self._epoll.fileno()
        own = _new_epoll()
        os.dup2(own.fileno(), fileno, inheritable=False)
        own.close()
        for watched in self._readers:
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
