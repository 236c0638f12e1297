"""A server, running in greenlets beside the client, whose tests script every byte that it sends.

A script is a function of one :class:`Peer`, called for each connection. Each :meth:`Peer.send` lets the client's
greenlet run, which reads these bytes and no others. So a test determines how a response is split into reads.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import gevent
from gevent import ssl
from gevent.server import StreamServer
from gevent.socket import socket as gevent_socket

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Peer:
    """The server side of a connection."""

    def __init__(self, connection: gevent_socket, number: int, requests: list[bytes]) -> None:
        self.number = number
        """How many connections were accepted before it."""
        self._connection = connection
        self._requests = requests
        self._buffer = bytearray()
        self.received: list[bytes] = []
        """The requests on this connection."""

    def request(self) -> bytes | None:
        """The next complete request as it arrived; None when the client has closed the connection."""
        while (size := _size_of_request(self._buffer)) is None:
            block = self._connection.recv(65536)
            if not block:
                return None
            self._buffer += block
        request = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.received.append(request)
        self._requests.append(request)
        return request

    def receive_some(self) -> bytes:
        """What has arrived of the next request."""
        return self._connection.recv(65536)

    def send(self, *pieces: bytes) -> None:
        """Send each piece and let the client read it before the next."""
        for piece in pieces:
            self._connection.sendall(piece)
            gevent.sleep(0)

    def send_at_once(self, piece: bytes) -> None:
        """Send it, and let nothing else run meanwhile."""
        self._connection.sendall(piece)

    def send_and_close(self, piece: bytes) -> None:
        """Send and close before the client reads anything."""
        self._connection.sendall(piece)
        self._connection.close()

    def send_beneath(self, piece: bytes) -> None:
        """Send it unencrypted on a TLS connection."""
        os.write(self._connection.fileno(), piece)
        gevent.sleep(0)

    def reset(self) -> None:
        """End the connection with RST."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def close(self) -> None:
        """End the connection with FIN, or with RST if bytes of the client are unread."""
        self._connection.close()

    def finish_sending(self) -> None:
        """End only the direction to the client."""
        self._connection.shutdown(socket.SHUT_WR)

    def hold(self) -> None:
        """Neither send nor close until the client has closed the connection."""
        while self._connection.recv(65536):
            pass


Script = Callable[[Peer], None]


@dataclass
class HostileServer:
    """``requests`` are all it has received, in order; ``connections`` is how many it has accepted."""

    scheme: str
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        """The method and target of each request."""
        return [request.split(b" HTTP/", 1)[0].decode() for request in self.requests]


@contextmanager
def hostile_server(script: Script, certificate: Path | None = None) -> Iterator[HostileServer]:
    """Run ``script`` on each connection, over TLS if there is a certificate. Close all of them after the block."""
    running = HostileServer("https" if certificate else "http")

    def serve(connection: gevent_socket, _: object) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        running.connections += 1
        try:
            script(Peer(connection, running.connections - 1, running.requests))
        except (OSError, ValueError):  # ValueError: from a TLS socket that was closed
            pass  # the client may close the connection at any time
        finally:
            connection.close()

    address = ("127.0.0.1", 0)
    if certificate is None:
        server = StreamServer(address, serve)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = StreamServer(address, serve, ssl_context=context)
    server.start()
    assert server.server_port
    running.port = server.server_port
    try:
        yield running
    finally:
        server.stop(timeout=0)


def responding_with(*raw_responses: bytes | Sequence[bytes]) -> Script:
    """Respond to each request with the next of ``raw_responses``, and then always with the last one.

    A response may be a list of the pieces to send it in.
    """
    left = list(raw_responses)

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            raw = left.pop(0) if len(left) > 1 else left[0]
            peer.send(*([raw] if isinstance(raw, bytes) else raw))

    return script


def ok(body: bytes = b"sound", *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A valid response."""
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", body])


def _size_of_request(received: bytearray) -> int | None:
    """Bytes of the first request in ``received``; None if it is incomplete."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    body = head_end + 4
    head = bytes(received[:head_end])
    if _CHUNKED.search(head):
        last = received.find(b"0\r\n\r\n", body)
        return None if last < 0 else last + 5
    length = _LENGTH.search(head)
    size = body + (int(length[1]) if length else 0)
    return size if len(received) >= size else None
