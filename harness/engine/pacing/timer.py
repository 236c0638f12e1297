"""Timers with microsecond resolution under gevent.

libev waits in epoll in whole milliseconds, rounded up: ``gevent.sleep`` wakes 0.1–1.1 ms late, which is more than the
whole service time of a fast target. A Linux timerfd is a file that becomes readable at the exact time.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress

from gevent import get_hub

_CLOCK_MONOTONIC = 1
_NONBLOCK = 0o4000
_CLOEXEC = 0o2000000
_READABLE = 1
FIRST, LAST = 2, -2
"""libev's highest and lowest priority."""

_libc = ctypes.CDLL(None, use_errno=True)
_settime = _libc.timerfd_settime
_settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class Alarm:
    """Calls ``ring`` in the event loop when the time that was :meth:`set` is over.

    ``ring`` must not block, but may switch to waiting greenlets. Without a greenlet of its own, an alarm costs half as
    much as a sleep.
    """

    def __init__(self, ring: Callable[[], object], *, priority: int) -> None:
        """``priority`` orders what is ready in one turn of the event loop, where sockets have 0; higher ones first."""
        self._fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK | _CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        # struct itimerspec: interval (none) and value, each seconds and nanoseconds.
        self._spec = (ctypes.c_long * 4)(0, 0, 0, 0)
        self._address = ctypes.addressof(self._spec)
        self._ring = ring
        self._is_set = False
        self._watcher = get_hub().loop.io(self._fd, _READABLE, priority=priority)
        self._watcher.start(self._on_readable)

    def _on_readable(self) -> None:
        self._is_set = False
        self._ring()
        if not self._is_set:
            # Make the file unreadable again. Setting the alarm does that at no extra cost.
            with suppress(BlockingIOError):  # it was set again before it rang
                os.read(self._fd, 8)

    def set(self, seconds: float) -> None:
        """Set the time from now; replaces an earlier setting. 0 or less: after one more turn of the event loop,
        including sockets.
        """
        self._is_set = True
        self._spec[2], self._spec[3] = divmod(max(1, round(seconds * 1e9)), 1_000_000_000)
        if _settime(self._fd, 0, self._address, None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")
