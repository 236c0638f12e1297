"""How a connection is made: names, addresses, Unix sockets, proxies, TLS; all of it within ``connection_timeout``."""

from __future__ import annotations

import _socket
import errno
import os
import socket
import ssl
from collections.abc import Callable
from time import perf_counter
from typing import Any

import gevent.socket
from gevent import Timeout

from harness.engine.host_guard import guard
from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connection import Connection, WaitTimeout, wait_writable
from harness.engine.http.origin import UNIX, Origin
from harness.engine.http.response_parser import ResponseParser
from harness.engine.http.tls import TlsConnection
from harness.engine.request_failures import ConnectTimeout, MalformedResponse, TunnelRefused

Address = tuple[int, Any]
"""Address family, and the address as a socket of it takes it."""


def connect(origin: Origin, settings: ClientSettings, context: Callable[[], ssl.SSLContext]) -> Connection:
    """A new connection to ``origin``, over the proxy where there is one.

    Raises :class:`ConnectTimeout`, :class:`TunnelRefused`, and what Python raises: ``ConnectionRefusedError``,
    ``gaierror``, ``ssl.SSLError`` …
    """
    deadline_s = perf_counter() + settings.connection_timeout
    try:
        sock = _open_socket(origin, settings, deadline_s)
    except WaitTimeout:
        raise ConnectTimeout(settings.connection_timeout) from None
    try:
        if origin.scheme != "https":
            return Connection(sock, settings.network_timeout)
        if settings.proxy_host is not None:
            _open_tunnel(sock, origin, settings, deadline_s)
        connection = TlsConnection(sock, settings.network_timeout, context(), origin.host)
        try:
            connection.handshake(deadline_s - perf_counter())
        except BaseException:  # raised again: a user may be cut off here
            connection.close()
            raise
        return connection
    except WaitTimeout:
        sock.close()
        raise ConnectTimeout(settings.connection_timeout) from None
    except BaseException:  # raised again: a user may be cut off here
        sock.close()
        raise


def _open_socket(origin: Origin, settings: ClientSettings, deadline_s: float) -> _socket.socket:
    """A socket connected to the first address that takes it; else the first address's error is raised."""
    if origin.scheme == UNIX:
        return _connect_to((_socket.AF_UNIX, origin.host), deadline_s)
    if settings.proxy_host is not None:
        addresses = _resolve(settings.proxy_host, settings.proxy_port or origin.port, deadline_s)
    else:
        addresses = _resolve(origin.host, origin.port, deadline_s)
    guarding = guard()
    if guarding is not None:
        # A proxy finds the origin's addresses: there the name must be allowed.
        found = None if settings.proxy_host is not None else [str(where[0]) for _, where in addresses]
        guarding.require(origin.host, found)
    first_error: OSError | None = None
    for address in addresses:
        try:
            return _connect_to(address, deadline_s)
        except OSError as error:
            first_error = first_error or error
    raise first_error or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))


def _resolve(host: str, port: int, deadline_s: float) -> list[Address]:
    """Numeric hosts as they are; names by gevent's resolver, which asks in a thread."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port))]
    with Timeout(max(deadline_s - perf_counter(), 0.0), WaitTimeout):
        try:
            found = gevent.socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        except UnicodeError:  # a proxy's: an origin's is known to be sound
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    return [(family, address) for family, _, _, _, address in found]


def _connect_to(address: Address, deadline_s: float) -> _socket.socket:
    family, where = address
    sock = _socket.socket(family, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
    try:
        if family != _socket.AF_UNIX:
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        code = sock.connect_ex(where)
        if code == errno.EINPROGRESS:
            wait_writable(sock, deadline_s - perf_counter())
            code = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if code:
            # OSError makes the class that belongs to the number, as ConnectionRefusedError.
            raise OSError(code, os.strerror(code))
    except BaseException:  # raised again: a user may be cut off here
        sock.close()
        raise
    return sock


def _open_tunnel(sock: _socket.socket, origin: Origin, settings: ClientSettings, deadline_s: float) -> None:
    """Ask the proxy for a way to ``origin`` (RFC 9110, section 9.3.6); on ``sock`` the origin speaks after it."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    request = f"CONNECT {host}:{origin.port} HTTP/1.1\r\nHost: {host}:{origin.port}\r\n\r\n"
    proxy = Connection(sock, settings.connection_timeout)
    try:
        proxy.send(request.encode("latin-1"), deadline_s)
        # As with HEAD, no body follows the head.
        parser = ResponseParser.acquire("HEAD", settings.max_header_bytes)
        while not parser.complete:
            data = proxy.receive(deadline_s - perf_counter())
            if not data:
                parser.feed_eof()
            else:
                parser.feed(data)
    finally:
        proxy.detach()
    if not 200 <= parser.status < 300:
        raise TunnelRefused(parser.status)
    if parser.has_surplus:
        raise MalformedResponse("bytes behind the proxy's answer to CONNECT")
