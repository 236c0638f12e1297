"""Sleeping to the microsecond under gevent.

libev waits in epoll with whole milliseconds, rounded up: ``gevent.sleep`` woke 0.1–1.1 ms late here, which is more
than a fast target's whole service time. A Linux timerfd is a file that gets readable at the moment itself.
"""

from __future__ import annotations

import ctypes
import os

from gevent import get_hub

_CLOCK_MONOTONIC = 1
_NONBLOCK = 0o4000
_CLOEXEC = 0o2000000


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


_libc = ctypes.CDLL(None, use_errno=True)


class Timer:
    """One greenlet's alarm clock; :meth:`sleep` blocks that greenlet only."""

    def __init__(self) -> None:
        self._fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK | _CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._watcher = get_hub().loop.io(self._fd, 1)

    def sleep(self, seconds: float) -> None:
        """Return when ``seconds`` are over, seldom more than 0.1 ms later; at once where they are not positive."""
        if seconds <= 0:
            return
        whole, rest = divmod(round(seconds * 1e9), 1_000_000_000)
        spec = _TimerSpec(_TimeSpec(0, 0), _TimeSpec(whole, rest))
        if _libc.timerfd_settime(self._fd, 0, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        get_hub().wait(self._watcher)
        os.read(self._fd, 8)

    def close(self) -> None:
        self._watcher.close()
        os.close(self._fd)
