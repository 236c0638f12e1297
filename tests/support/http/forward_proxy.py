"""A small forward proxy: forwards ``GET http://host/…``, opens tunnels for ``CONNECT host:port``.

It resolves no names: every host leads to the same server, so that tests can use any host name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import gevent
from gevent.server import StreamServer
from gevent.socket import create_connection
from gevent.socket import socket as gevent_socket


@dataclass
class ForwardProxy:
    """``request_lines`` has the method and target of the first request of each connection."""

    port: int = 0
    request_lines: list[str] = field(default_factory=list)
    refuses: bool = False
    """Respond to everything with 407."""


@contextmanager
def forward_proxy(http_port: int, tls_port: int = 0) -> Iterator[ForwardProxy]:
    """Forward plain requests to ``http_port`` of this machine, and tunnels to ``tls_port``."""
    proxy = ForwardProxy()

    def serve(connection: gevent_socket, _: object) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            block = connection.recv(65536)
            if not block:
                return
            head += block
        method, target, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
        proxy.request_lines.append(f"{method} {target}")
        if proxy.refuses:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        tunnels = method == "CONNECT"
        with create_connection(("127.0.0.1", tls_port if tunnels else http_port)) as upstream:
            if tunnels:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(head)  # servers accept a target in absolute form, too
            ways = [gevent.spawn(_pass_on, connection, upstream), gevent.spawn(_pass_on, upstream, connection)]
            gevent.joinall(ways, count=1)
            gevent.killall(ways)

    def serve_and_close(connection: gevent_socket, address: object) -> None:
        try:
            serve(connection, address)
        except OSError:
            pass  # either side may close the connection at any time
        finally:
            connection.close()

    server = StreamServer(("127.0.0.1", 0), serve_and_close)
    server.start()
    assert server.server_port
    proxy.port = server.server_port
    try:
        yield proxy
    finally:
        server.stop(timeout=0)


def _pass_on(source: gevent_socket, sink: gevent_socket) -> None:
    try:
        while block := source.recv(65536):
            sink.sendall(block)
    except OSError:
        pass  # as above
