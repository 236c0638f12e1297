"""A connection: a non-blocking socket whose user waits in gevent's event loop, with a limit for every wait.

gevent's own sockets make two watchers each and a timer for every wait, and start and stop them each time; here a
connection has one watcher for all its life, which is never stopped while all is in order, and one timer in all the time
that a wait may last. That keeps an idle connection small and a busy one fast.

The kernel notes when bytes reach this machine (``SO_TIMESTAMPNS``, socket(7) and the kernel's timestamping.rst), and
an answer ends then, not when this process comes to read it. So neither a worker that waits for its turn on a busy
machine nor one with many answers to read adds to the times that it records (0.1–1 ms here).
"""

from __future__ import annotations

import _socket
import math
import select
import struct
from contextlib import suppress
from time import perf_counter, time
from typing import Any

from gevent import get_hub, getcurrent, monkey
from gevent.exceptions import InvalidSwitchError

from harness.engine.request_failures import ConnectionReset

READ_SIZE = 65536
_READ, _WRITE = 1, 2
_SO_TIMESTAMPNS = 35
"""``asm-generic/socket.h``, as on x86 and ARM; Python has no name for it."""
_timespec = struct.Struct("@ll")
_NOTE_BYTES = _socket.CMSG_SPACE(_timespec.size)
_POLLIN = select.POLLIN
_poll: Any = monkey.get_original("select", "poll")


class WaitTimeout(Exception):  # noqa: N818  (caught at once by whoever set the limit)
    """The limit of a wait has passed; whoever set it says what that means."""


def wait_for(watcher: Any, limit_s: float) -> None:
    """Let others run until ``watcher`` (of an event loop) is ready; :class:`WaitTooLong` after ``limit_s``."""
    hub: Any = get_hub()
    timer = hub.loop.timer(max(limit_s, 0.0))
    timer.start(getcurrent().throw, WaitTimeout, update=True)  # from now, not from this turn of the loop
    try:
        hub.wait(watcher)
    finally:
        timer.close()


def wait_writable(sock: _socket.socket, limit_s: float) -> None:
    """Wait until ``sock`` takes bytes, or is connected."""
    hub: Any = get_hub()
    watcher = hub.loop.io(sock.fileno(), _WRITE)
    try:
        wait_for(watcher, limit_s)
    finally:
        watcher.close()


class Connection:
    """Bytes to and from one server. After any exception but :class:`BlockingIOError` it is to be closed.

    Its socket is never closed before it: libev ends the process where a file that it watches is gone.
    """

    __slots__ = (
        "_arrived_s",
        "_hub",
        "_limit_s",
        "_poll",
        "_read_s",
        "_sock",
        "_timer",
        "_waiting",
        "_waiting_since_s",
        "_watcher",
        "_watching",
    )

    def __init__(self, sock: _socket.socket, limit_s: float) -> None:
        """``sock`` is connected and non-blocking; ``limit_s`` is the longest wait."""
        hub: Any = get_hub()
        fileno = sock.fileno()
        with suppress(OSError):  # a kernel that takes no such notes: an answer ends when it is read
            sock.setsockopt(_socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._sock = sock
        self._hub = hub
        self._limit_s = limit_s
        self._watcher = hub.loop.io(fileno, _READ)
        self._timer: Any = None
        """Is made once in a limit's time, not once a wait: see :meth:`_on_timer`."""
        self._waiting_since_s = math.inf
        """Since when it has been waited for bytes, where the limit is the connection's own."""
        poll = _poll()
        poll.register(fileno, _POLLIN)
        self._poll = poll.poll
        self._watching = False
        self._waiting: Any = None
        """The greenlet that waits for bytes."""
        self._read_s = self._arrived_s = 0.0

    def is_clean(self) -> bool:
        """Still open, and nothing came since the last answer: what did would be taken for the next one.

        Asked of the system each time, however lately the connection was used: a server may write what it has to say
        too much, or its end, right behind the answer.
        """
        return not self._poll(0)

    def send(self, data: bytes, deadline_s: float) -> int:
        """Send all of ``data``; returns how much was. :class:`WaitTooLong` at ``deadline_s`` (``perf_counter``).

        Less than all: the server has ended the connection; it may have answered before it did.
        """
        try:
            sent = self._sock.send(data)
            if sent == len(data):
                return sent
        except BlockingIOError:
            sent = 0
        except (ConnectionResetError, BrokenPipeError):
            return 0
        rest = memoryview(data)[sent:]
        while rest:
            wait_writable(self._sock, min(self._limit_s, deadline_s - perf_counter()))
            try:
                count = self._sock.send(rest)
            except BlockingIOError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
            rest = rest[count:]
            sent += count
        return sent

    def receive(self, limit_s: float) -> bytes:
        """The next bytes, as soon as there are any; none: the server has closed its end.

        Waits before it tries: right after sending nothing can be there yet, and a try in vain costs more than a wait.
        """
        while True:
            self._wait(limit_s)
            try:
                return self._read()
            except BlockingIOError:
                continue
            except ConnectionResetError:
                raise ConnectionReset from None

    def receive_more(self, limit_s: float) -> bytes:
        """As :meth:`receive`, in the middle of an answer: tries first, for more may well be there."""
        try:
            return self._read()
        except BlockingIOError:
            return self.receive(limit_s)
        except ConnectionResetError:
            raise ConnectionReset from None

    def _read(self) -> bytes:
        """What has come; :meth:`arrived_s` says when."""
        data, notes, _, _ = self._sock.recvmsg(READ_SIZE, _NOTE_BYTES)
        self._read_s = self._arrived_s = perf_counter()
        if notes:
            whole_s, rest_ns = _timespec.unpack(notes[0][2])
            self._arrived_s -= time() - whole_s - rest_ns * 1e-9
        return data

    def arrived_s(self, sent_s: float) -> float:
        """When the last of the bytes that were read had reached this machine (``perf_counter``).

        The kernel's note is of the wall clock. Where that was set meanwhile, and so they would have come before their
        request was sent (at ``sent_s``) or after they were read, it is when they were read.
        """
        return self._arrived_s if sent_s <= self._arrived_s <= self._read_s else self._read_s

    def _wait(self, limit_s: float) -> None:
        """Wait for bytes, or the end of the connection; :class:`WaitTimeout` after the limit."""
        current = getcurrent()
        shorter = None
        if limit_s >= self._limit_s:
            self._waiting_since_s = perf_counter()
            if self._timer is None:
                self._set_timer(self._limit_s)
        else:
            shorter = self._hub.loop.timer(max(limit_s, 0.0))
            shorter.start(current.throw, WaitTimeout, update=True)
        if not self._watching:
            self._watching = True
            self._watcher.start(self._on_readable)
        self._waiting = current
        try:
            if self._hub.switch() is not self:
                raise InvalidSwitchError(f"{current!r} was switched to while it waited for an answer")
        finally:
            self._waiting = None
            self._waiting_since_s = math.inf
            if shorter is not None:
                shorter.close()

    def _set_timer(self, seconds: float) -> None:
        self._timer = self._hub.loop.timer(seconds)
        self._timer.start(self._on_timer, update=True)

    def _on_timer(self) -> None:
        """In the event loop: a wait has come to its limit, or another one has begun since the timer was set."""
        self._cancel_timer()
        left_s = self._limit_s - (perf_counter() - self._waiting_since_s)
        if 0.0 < left_s < math.inf:
            self._set_timer(left_s)
        elif left_s <= 0.0 and self._waiting is not None:
            self._waiting.throw(WaitTimeout)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def _on_readable(self) -> None:
        """In the event loop, as long as there is something to read."""
        waiting = self._waiting
        if waiting is not None:
            waiting.switch(self)
        else:
            # Nobody reads it now; without this the event loop would turn round and round.
            self._watching = False
            self._watcher.stop()

    def detach(self) -> None:
        """End this object, but not the connection: the socket is another's from now on."""
        self._watcher.close()
        self._cancel_timer()

    def close(self) -> None:
        """For good; a second time does nothing."""
        self.detach()
        self._sock.close()
