"""An HTTP server that measures the service time of each response, and can freeze on a schedule.

It is one thread with epoll that takes about 12 µs per request:

``GET /now``                                       responds at once
``GET /lognormal``, ``/bimodal``, ``/heavy-tail``  respond after a time drawn from that distribution
                                                   (:data:`DISTRIBUTIONS`); more path segments only change the path

The service time starts when the request reaches the server's socket, by the timestamp of the kernel
(``SO_TIMESTAMPNS``), and ends when the response has been passed to the kernel. It includes everything that a client can
know of the server: the time in the socket while the server sleeps or handles other requests, and the actual sleep,
however late the timer fires. So a comparison shows only the error of the load generator, and the way through loopback.

    python -m benchmarks.reference_server --port PORT --output FILE [--freeze 0.5 --every 5]

It stops at the end of standard input and writes ``FILE`` (numpy ``.npz``): ``freezes`` (start and end, in seconds of
the monotonic clock), ``first_s`` (when the first request arrived), ``cost_s`` (how long it takes for a request while
others wait, as after a freeze), ``served`` (requests), and ``service_s/PATH`` for each path.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import heapq
import os
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
_END_OF_REQUEST = b"\r\n\r\n"
_READ_BYTES = 65536
_BACKLOG = 8
"""Requests at once that count as a backlog."""

_SO_TIMESTAMPNS = 35
_timespec = struct.Struct("@ll")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_timespec.size)
_CLOCK_MONOTONIC = 1
_NONBLOCK_CLOEXEC = 0o2004000
_libc = ctypes.CDLL(None, use_errno=True)


def _lognormal(draw: random.Random) -> float:
    return 0.05 * draw.lognormvariate(0.0, 0.5)


def _bimodal(draw: random.Random) -> float:
    return draw.gauss(0.03, 0.002) if draw.random() < 0.85 else draw.gauss(0.2, 0.01)


def _heavy_tail(draw: random.Random) -> float:
    return min(0.02 * draw.paretovariate(1.5), 2.0)


DISTRIBUTIONS: dict[str, Callable[[random.Random], float]] = {
    "lognormal": _lognormal,
    "bimodal": _bimodal,
    "heavy-tail": _heavy_tail,
}
"""Service times in seconds. Log-normal: median 50 ms. Bimodal: 30 ms, or 200 ms for a seventh, like cache misses; no
compared percentile lies in the gap between. Heavy tail: Pareto from 20 ms."""


class _Timer:
    """A timerfd. The timeout of epoll has whole milliseconds, so responses would be sent in bursts."""

    def __init__(self) -> None:
        self.fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._set_for = 0.0

    def set(self, at_s: float) -> None:
        """Make the file readable at ``at_s`` (monotonic clock). Replaces an earlier time."""
        if at_s == self._set_for:
            return
        self._set_for = at_s
        whole, rest = divmod(int(at_s * 1e9), 1_000_000_000)
        spec = (ctypes.c_long * 4)(0, 0, whole, rest)
        absolute = 1
        if _libc.timerfd_settime(self.fd, absolute, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def acknowledge(self) -> None:
        """Reset the timer after it has fired."""
        os.read(self.fd, 8)
        self._set_for = 0.0


class ReferenceServer:
    """The server that the module describes. With ``freeze_s`` 0 it never freezes."""

    def __init__(self, port: int, freeze_s: float, every_s: float) -> None:
        self._freeze_s, self._every_s = freeze_s, every_s
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._timer = _Timer()
        for fd in (self._listener.fileno(), self._timer.fd, sys.stdin.fileno()):
            self._epoll.register(fd, select.EPOLLIN)
        self._connections: dict[int, socket.socket] = {}
        self._unread: dict[int, bytes] = {}
        self._sleeping: list[tuple[float, int, float, str, socket.socket]] = []
        """A heap of: when to respond, file number (to break ties), when the request arrived, path, connection."""
        self._draw = random.Random(1)
        self._freezes: list[tuple[float, float]] = []
        self._service_s: dict[str, list[float]] = {}
        self._first_s = 0.0
        self._backlog_s, self._backlog_requests = 0.0, 0

    def run(self) -> None:
        """Serve until standard input ends."""
        next_freeze_s = time.monotonic() + self._every_s if self._freeze_s else float("inf")
        while True:
            due_s = min(next_freeze_s, self._sleeping[0][0] if self._sleeping else float("inf"))
            if due_s < float("inf"):
                self._timer.set(due_s)
            events = self._epoll.poll()
            iteration_started_s = time.monotonic()
            for fd, _ in events:
                if fd == self._listener.fileno():
                    self._accept()
                elif fd == self._timer.fd:
                    self._wake()
                elif fd == sys.stdin.fileno():
                    return
                else:
                    self._read(fd)
            if len(events) >= _BACKLOG:
                self._backlog_s += time.monotonic() - iteration_started_s
                self._backlog_requests += len(events)
            if time.monotonic() >= next_freeze_s:
                started_s = time.monotonic()
                time.sleep(self._freeze_s)
                self._freezes.append((started_s, time.monotonic()))
                next_freeze_s += self._every_s

    def save(self, path: Path) -> None:
        """Write the measurements."""
        figures: dict[str, Any] = {f"service_s/{name}": values for name, values in self._service_s.items()}
        figures["freezes"] = np.array(self._freezes).reshape(-1, 2)
        figures["first_s"] = self._first_s
        figures["cost_s"] = self._backlog_s / max(self._backlog_requests, 1)
        figures["served"] = sum(map(len, self._service_s.values()))
        np.savez(path, **figures)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            fd = connection.fileno()
            self._connections[fd], self._unread[fd] = connection, b""
            self._epoll.register(fd, select.EPOLLIN)

    def _read(self, fd: int) -> None:
        connection = self._connections[fd]
        try:
            chunk, ancillary, _, _ = connection.recvmsg(_READ_BYTES, _ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk, ancillary = b"", []
        if not chunk:
            self._epoll.unregister(fd)
            del self._connections[fd]
            connection.close()
            return
        arrived_s = time.monotonic()
        if ancillary:
            whole_s, rest_ns = _timespec.unpack(ancillary[0][2])
            arrived_s -= time.time() - whole_s - rest_ns * 1e-9
        if not self._first_s:
            self._first_s = arrived_s
        request = self._unread[fd] + chunk
        if not request.endswith(_END_OF_REQUEST):
            self._unread[fd] = request
            return
        self._unread[fd] = b""
        path = request.split(b" ", 2)[1].decode()[1:]
        distribution = DISTRIBUTIONS.get(path.partition("/")[0])
        if distribution is None:
            self._respond(connection, arrived_s, path)
        else:
            heapq.heappush(self._sleeping, (arrived_s + distribution(self._draw), fd, arrived_s, path, connection))

    def _wake(self) -> None:
        self._timer.acknowledge()
        while self._sleeping and self._sleeping[0][0] <= time.monotonic():
            _, _, started_s, path, connection = heapq.heappop(self._sleeping)
            self._respond(connection, started_s, path)

    def _respond(self, connection: socket.socket, started_s: float, path: str) -> None:
        # Read before the response is sent: by the time that ``send`` returns, the client may long have it.
        self._service_s.setdefault(path, []).append(time.monotonic() - started_s)
        # A client that has closed the connection counts as served.
        with contextlib.suppress(OSError):
            connection.send(_RESPONSE)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--output", type=Path, required=True)
    arguments.add_argument("--freeze", type=float, default=0.0)
    arguments.add_argument("--every", type=float, default=5.0)
    options = arguments.parse_args()
    server = ReferenceServer(options.port, options.freeze, options.every)
    print("ready", flush=True)
    server.run()
    server.save(options.output)


if __name__ == "__main__":
    main()
