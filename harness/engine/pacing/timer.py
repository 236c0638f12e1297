"""Timers to the microsecond under gevent.

libev waits in epoll with whole milliseconds, rounded up: ``gevent.sleep`` woke 0.1–1.1 ms late here, which is more
than a fast target's whole service time. A Linux timerfd is a file that gets readable at the moment itself.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

from gevent import get_hub

_CLOCK_MONOTONIC = 1
_NONBLOCK = 0o4000
_CLOEXEC = 0o2000000
_READABLE = 1
_FIRST = 2
"""libev's highest priority."""

_libc = ctypes.CDLL(None, use_errno=True)
_settime = _libc.timerfd_settime
_settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class _TimerFd:
    """A file that gets readable when the time that was set is over."""

    def __init__(self) -> None:
        self.fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK | _CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        # struct itimerspec: interval (none) and value, each seconds and nanoseconds.
        self._spec = (ctypes.c_long * 4)(0, 0, 0, 0)
        self._address = ctypes.addressof(self._spec)

    def set(self, seconds: float) -> None:
        """From now on (more than 0); what was set before is void."""
        self._spec[2], self._spec[3] = divmod(max(1, round(seconds * 1e9)), 1_000_000_000)
        if _settime(self.fd, 0, self._address, None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def clear(self) -> None:
        """Make the file unreadable again, where it has got readable."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            # It was set anew in the meantime.
            return


class Timer:
    """One greenlet's alarm clock; :meth:`sleep` blocks that greenlet only."""

    def __init__(self) -> None:
        self._file = _TimerFd()
        self._watcher = get_hub().loop.io(self._file.fd, _READABLE)

    def sleep(self, seconds: float) -> None:
        """Return when ``seconds`` are over, seldom more than 0.1 ms later; at once where they are not positive."""
        if seconds <= 0:
            return
        self._file.set(seconds)
        get_hub().wait(self._watcher)
        self._file.clear()

    def close(self) -> None:
        self._watcher.close()
        os.close(self._file.fd)


class Alarm:
    """Calls ``ring`` when the time that was :meth:`set` is over, in the event loop itself: ``ring`` must not block,
    but may switch to greenlets that wait.

    Nothing is started or stopped, looked up or switched to for it to ring, which spares half of what a sleep costs.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._file = _TimerFd()
        self._ring = ring
        self._is_set = False
        # Before the answers that the same turn of the event loop finds: when these came is noted, and they can wait.
        self._watcher = get_hub().loop.io(self._file.fd, _READABLE, priority=_FIRST)
        self._watcher.start(self._on_readable)

    def _on_readable(self) -> None:
        self._is_set = False
        self._ring()
        if not self._is_set:
            # To set it anew makes the file unreadable, too, and costs no more than this alone.
            self._file.clear()

    def set(self, seconds: float) -> None:
        """From now on; what was set before is void. 0 or less: as soon as the event loop has gone round once more,
        sockets and all.
        """
        self._is_set = True
        self._file.set(seconds)
