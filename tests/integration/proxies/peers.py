"""Both ends of connections through a proxy, and ways to see what became of them."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.proxies.control import OwnProxy

LARGE = os.urandom(1 << 20) * 24
"""More than all buffers on the way hold."""


class Peer:
    """An upstream: accepts connections, which tests then use themselves."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.address: tuple[str, int] = self.listener.getsockname()

    def accept(self) -> socket.socket:
        self.listener.settimeout(20)
        connection, _ = self.listener.accept()
        connection.settimeout(20)
        return connection

    def waits(self, seconds: float = 0.3) -> bool:
        """Whether a connection arrives."""
        self.listener.settimeout(seconds)
        try:
            self.listener.accept()[0].close()
        except TimeoutError:
            return False
        return True


def connect(proxy: OwnProxy) -> socket.socket:
    connection = socket.create_connection((proxy.host, proxy.port), timeout=20)
    connection.settimeout(20)
    return connection


@contextmanager
def pair(proxy: OwnProxy, upstream: Peer) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection through the proxy."""
    with connect(proxy) as client, upstream.accept() as server:
        yield client, server


def read(connection: socket.socket, size: int) -> bytes:
    """So many bytes, or all until the end."""
    parts = []
    while size > 0 and (part := connection.recv(min(size, 1 << 20))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def round_trip_s(client: socket.socket, server: socket.socket, *, answer: bytes = b"answer") -> float:
    began_s = time.monotonic()
    client.sendall(b"question")
    assert read(server, 8) == b"question"
    server.sendall(answer)
    assert read(client, len(answer)) == answer
    return time.monotonic() - began_s


def is_reset(connection: socket.socket) -> bool:
    try:
        read(connection, 1 << 30)
    except ConnectionResetError:
        return True
    return False


def is_dead(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return not connection.recv(1)
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def arrives(connection: socket.socket, seconds: float = 0.4) -> bool:
    connection.settimeout(seconds)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        connection.settimeout(20)
