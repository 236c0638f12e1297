"""Timers with microsecond resolution under gevent.

libev waits in epoll in whole milliseconds, rounded up: ``gevent.sleep`` wakes 0.1–1.1 ms late, which is more than the
whole service time of a fast target. A Linux timerfd is a file that becomes readable at the exact time.
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
    """A file that becomes readable when the time that was set is over."""

    def __init__(self) -> None:
        self.fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK | _CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        # struct itimerspec: interval (none) and value, each seconds and nanoseconds.
        self._spec = (ctypes.c_long * 4)(0, 0, 0, 0)
        self._address = ctypes.addressof(self._spec)

    def set(self, seconds: float) -> None:
        """Set the time from now (more than 0); replaces an earlier setting."""
        self._spec[2], self._spec[3] = divmod(max(1, round(seconds * 1e9)), 1_000_000_000)
        if _settime(self.fd, 0, self._address, None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def clear(self) -> None:
        """Make the file unreadable again, if it has become readable."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            # It was set again in the meantime.
            return


class Timer:
    """A timer for one greenlet; :meth:`sleep` blocks only that greenlet."""

    def __init__(self) -> None:
        self._file = _TimerFd()
        self._watcher = get_hub().loop.io(self._file.fd, _READABLE)

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``, rarely more than 0.1 ms late; at once if they are not positive."""
        if seconds <= 0:
            return
        self._file.set(seconds)
        get_hub().wait(self._watcher)
        self._file.clear()

    def close(self) -> None:
        self._watcher.close()
        os.close(self._file.fd)


class Alarm:
    """Calls ``ring`` in the event loop when the time that was :meth:`set` is over.

    ``ring`` must not block, but may switch to waiting greenlets. Without a greenlet of its own, an alarm costs half as
    much as a sleep.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._file = _TimerFd()
        self._ring = ring
        self._is_set = False
        # Before responses that arrive in the same turn of the event loop: their times are noted, and they can wait.
        self._watcher = get_hub().loop.io(self._file.fd, _READABLE, priority=_FIRST)
        self._watcher.start(self._on_readable)

    def _on_readable(self) -> None:
        self._is_set = False
        self._ring()
        if not self._is_set:
            # Setting it again also makes the file unreadable, at no extra cost.
            self._file.clear()

    def set(self, seconds: float) -> None:
        """Set the time from now; replaces an earlier setting. 0 or less: after one more turn of the event loop,
        including sockets.
        """
        self._is_set = True
        self._file.set(seconds)
