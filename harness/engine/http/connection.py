"""A non-blocking socket that waits in gevent's event loop, with a timeout for every wait.

gevent's own sockets have two watchers each, start and stop them for every wait, and create a timer each time. A
connection here has one watcher, which keeps running between waits, and at most one timer per timeout period. That keeps
idle connections small and busy ones fast.

A response ends when its last bytes reach this machine, not when this process reads them. The kernel records that time
(``SO_TIMESTAMPNS``; see socket(7) and the kernel's timestamping.rst). A worker that waits for a CPU, or has many
responses to read, would otherwise add 0.1–1 ms to the response times it records.
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
from harness.engine.socket_poller import poller

READ_SIZE = 65536
_WRITE = 2
_SO_TIMESTAMPNS = 35
"""From ``asm-generic/socket.h``, which x86 and ARM use; Python does not define it."""
_timespec = struct.Struct("@ll")
_ANCILLARY_BYTES = _socket.CMSG_SPACE(_timespec.size)
_CHECKED_S = 0.0005
"""For this long after the poller has looked for bytes, a connection need not be checked separately."""
_POLLIN = select.POLLIN
_poll: Any = monkey.get_original("select", "poll")


class WaitTimeout(Exception):  # noqa: N818  (the caller that set the limit turns it into a failure)
    """A wait has reached its limit."""


def wait_writable(sock: _socket.socket, limit_s: float) -> None:
    """Wait until ``sock`` is connected, or accepts more bytes. Raises :class:`WaitTimeout` after ``limit_s``."""
    hub: Any = get_hub()
    watcher = hub.loop.io(sock.fileno(), _WRITE)
    timer = hub.loop.timer(max(limit_s, 0.0))
    timer.start(getcurrent().throw, WaitTimeout, update=True)  # counts from now
    try:
        hub.wait(watcher)
    finally:
        timer.close()
        watcher.close()


class Connection:
    """Sends bytes to a server and receives its bytes. Close it after any exception but :class:`BlockingIOError`.

    Never close its socket alone: libev aborts the process if a file it watches is gone.
    """

    def __init__(self, sock: _socket.socket, limit_s: float) -> None:
        """``sock`` must be connected and non-blocking; ``limit_s`` is the longest wait."""
        hub: Any = get_hub()
        fileno = sock.fileno()
        with suppress(OSError):  # without kernel timestamps, a response ends when it is read
            sock.setsockopt(_socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._sock = sock
        self._hub = hub
        self._switch = hub.switch
        self.limit_s = limit_s
        """The longest wait; see :meth:`change_limit`."""
        self._poller = poller()
        self._fileno = fileno
        self._timer: Any = None
        """Created once per timeout period, not once per wait; see :meth:`_on_timer`."""
        self._waiting_since_s = math.inf
        """Start of the current wait, if its limit is that of the connection."""
        poll = _poll()
        poll.register(fileno, _POLLIN)
        self._poll = poll.poll
        self._watching = False
        self._waiting: Any = None
        """The greenlet that waits for bytes."""
        self._received: bytes | OSError = b""
        """What was read for it, and not taken yet."""
        self._unsent = b""
        """The request that :meth:`transmit` is to send."""
        self.sent_s = 0.0
        """When the last request of :meth:`exchange` was sent (``perf_counter``)."""
        self._read_s = self._arrived_s = 0.0

    def has_expired(self) -> bool:
        """Whether the server has closed an idle connection, or has sent bytes that belong to no response.

        This is checked before every request, because a server may do either right after its response.
        """
        return bool(self._poll(0))

    def exchange(self, data: bytes) -> bytes:
        """Send a short request and return the first bytes of its response; :attr:`sent_s` is when it was sent.

        They are empty if the connection is of no use, because the server has closed it, say; the request may have been
        sent then. Waits for :attr:`limit_s`.
        """
        looked_s = self._poller.looked_s
        is_checked = self._watching and self._read_s < looked_s and perf_counter() - looked_s < _CHECKED_S
        if not is_checked and self._poll(0):
            return b""
        self._unsent = data
        if not self._poller.queue(self) and not self.transmit():
            return b""
        return self.receive(self.limit_s)

    def transmit(self) -> bool:
        """Send the request of :meth:`exchange`. Returns False if the connection is of no use."""
        data, self._unsent = self._unsent, b""
        self.sent_s = perf_counter()
        try:
            return not data or self._sock.send(data) == len(data)
        except OSError:
            return False

    def send(self, data: bytes, deadline_s: float) -> int:
        """Send ``data`` and return the number of bytes sent. Raises :class:`WaitTimeout` at ``deadline_s``.

        If fewer were sent, the server has closed the connection; its response may still be readable.
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
            wait_writable(self._sock, min(self.limit_s, deadline_s - perf_counter()))
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
        """Wait for the next bytes and return them; empty if the server has closed its end.

        It waits before it reads: right after a request nothing can have arrived, and a read in vain costs more.
        """
        received = self._wait(limit_s)
        if isinstance(received, bytes):
            return received
        if isinstance(received, ConnectionResetError):
            raise ConnectionReset from None
        raise received

    def receive_more(self, limit_s: float) -> bytes:
        """Like :meth:`receive`, but read first: in the middle of a response more bytes have often arrived."""
        try:
            return self._read()
        except BlockingIOError:
            return self.receive(limit_s)
        except ConnectionResetError:
            raise ConnectionReset from None

    def _read(self) -> bytes:
        """Read what has arrived, and when; see :meth:`arrived_s`."""
        data, ancillary, _, _ = self._sock.recvmsg(READ_SIZE, _ANCILLARY_BYTES)
        self._read_s = self._arrived_s = perf_counter()
        if ancillary:
            whole_s, rest_ns = _timespec.unpack(ancillary[0][2])
            self._arrived_s -= time() - whole_s - rest_ns * 1e-9
        return data

    def arrived_s(self, sent_s: float) -> float:
        """When the last bytes that were read reached this machine (``perf_counter``).

        The kernel's timestamp is wall-clock time. If that clock was set in between, the timestamp may lie before
        ``sent_s``, when the request was sent, or after the read. The time of the read is returned then.
        """
        return self._arrived_s if sent_s <= self._arrived_s <= self._read_s else self._read_s

    def _wait(self, limit_s: float) -> bytes | OSError:
        """Wait until :meth:`read` has read something, and return it. Raises :class:`WaitTimeout` after ``limit_s``."""
        current = getcurrent()
        shorter = None
        if limit_s >= self.limit_s:
            self._waiting_since_s = perf_counter()
            if self._timer is None:
                self._set_timer(self.limit_s)
        else:
            shorter = self._hub.loop.timer(max(limit_s, 0.0))
            shorter.start(current.throw, WaitTimeout, update=True)
        if not self._watching:
            self._watching = True
            self._poller.add(self._fileno, self)
        self._waiting = current
        try:
            if self._switch() is not self:
                raise InvalidSwitchError(f"{current!r} was switched to while it waited for a response")
            received: bytes | OSError = self._received
            return received
        finally:
            self._waiting = None
            self._received = self._unsent = b""
            self._waiting_since_s = math.inf
            if shorter is not None:
                shorter.close()

    def change_limit(self, limit_s: float) -> None:
        """Set the longest wait from now on."""
        self.limit_s = limit_s
        self._cancel_timer()

    def _set_timer(self, seconds: float) -> None:
        self._timer = self._hub.loop.timer(seconds)
        self._timer.start(self._on_timer, update=True)

    def _on_timer(self) -> None:
        """Runs in the event loop. A wait has reached its limit, or a later one has begun since the timer was set."""
        self._cancel_timer()
        left_s = self.limit_s - (perf_counter() - self._waiting_since_s)
        if 0.0 < left_s < math.inf:
            self._set_timer(left_s)
        elif left_s <= 0.0 and self._waiting is not None:
            self._waiting.throw(WaitTimeout)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def read(self) -> bool:
        """Read what has arrived. Returns whether a user waits for it. Runs in the event loop."""
        if self._waiting is None:
            self._stop_watching()  # or the event loop would spin
            return False
        try:
            self._received = self._read()
        except BlockingIOError:
            return False
        except OSError as error:
            self._received = error
        return True

    def resume(self) -> None:
        """Let the greenlet that waits go on. Runs in the event loop."""
        if self._waiting is not None:  # it may have been stopped meanwhile
            self._waiting.switch(self)

    def _stop_watching(self) -> None:
        if self._watching:
            self._watching = False
            self._poller.remove(self._fileno)

    def detach(self) -> None:
        """Give up the socket without closing it."""
        self._stop_watching()
        self._cancel_timer()

    def close(self) -> None:
        """Close the connection. Closing it again does nothing."""
        self.detach()
        self._sock.close()
