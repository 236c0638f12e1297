"""Opens connections within ``connection_timeout``: name look-up, socket, proxy tunnel, TLS."""

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

from harness.engine.detour import redirected
from harness.engine.host_guard import guard
from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connection import Connection, WaitTimeout, wait_writable
from harness.engine.http.origin import UNIX, Origin
from harness.engine.http.response_parser import ResponseParser
from harness.engine.http.tls import TlsConnection
from harness.engine.request_failures import ConnectTimeout, MalformedResponse, TunnelRefused
from harness.messages import message

Address = tuple[int, Any]
"""Address family, and the address in the form that a socket of the family takes."""


def connect(origin: Origin, settings: ClientSettings, context: Callable[[], ssl.SSLContext]) -> Connection:
    """A new connection to ``origin``, through the proxy if one is set.

    Raises :class:`ConnectTimeout`, :class:`TunnelRefused`, and Python's own ``ConnectionRefusedError``, ``gaierror``,
    ``ssl.SSLError`` and the like.
    """
    deadline_s = perf_counter() + settings.connection_timeout
    try:
        sock = _open_socket(origin, settings, deadline_s)
    except WaitTimeout:
        raise ConnectTimeout(limit_s=settings.connection_timeout) from None
    try:
        if origin.scheme != "https":
            return Connection(sock, settings.network_timeout)
        if settings.proxy_host is not None:
            _open_tunnel(sock, origin, settings, deadline_s)
        connection = TlsConnection(sock, settings.network_timeout, context(), origin.host)
        try:
            connection.handshake(deadline_s - perf_counter())
        except BaseException:  # a user may be killed while it connects; raised again
            connection.close()
            raise
        return connection
    except WaitTimeout:
        sock.close()
        raise ConnectTimeout(limit_s=settings.connection_timeout) from None
    except BaseException:  # a user may be killed while it connects; raised again
        sock.close()
        raise


def _open_socket(origin: Origin, settings: ClientSettings, deadline_s: float) -> _socket.socket:
    """A socket connected to the first address that accepts. If none does, raises the error of the first."""
    if origin.scheme == UNIX:
        return _connect_to((_socket.AF_UNIX, origin.host), deadline_s)
    if settings.proxy_host is not None:
        addresses = _resolve(settings.proxy_host, settings.proxy_port or origin.port, deadline_s)
    else:
        addresses = _resolve(origin.host, origin.port, deadline_s)
    host_guard = guard()
    if host_guard is not None:
        # A proxy looks up the origin's addresses itself, so the name must be allowed.
        checked = None if settings.proxy_host is not None else [str(address[0]) for _, address in addresses]
        host_guard.require(origin.host, checked)
    first_error: OSError | None = None
    for address in addresses:
        try:
            return _connect_to(address, deadline_s)
        except OSError as error:
            first_error = first_error or error
    raise first_error or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))


def _resolve(host: str, port: int, deadline_s: float) -> list[Address]:
    """The addresses of a host. Names are looked up by gevent's resolver, in a thread."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port))]
    with Timeout(max(deadline_s - perf_counter(), 0.0), WaitTimeout):
        try:
            found = gevent.socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        except UnicodeError:  # only a proxy's name; an origin's was checked when it was parsed
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    return [(family, address) for family, _, _, _, address in found]


def _connect_to(address: Address, deadline_s: float) -> _socket.socket:
    family, socket_address = address
    sock = _socket.socket(family, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
    try:
        if family != _socket.AF_UNIX:
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        code = sock.connect_ex(redirected(family, socket_address))
        if code == errno.EINPROGRESS:
            wait_writable(sock, deadline_s - perf_counter())
            code = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if code:
            # OSError picks the subclass for the number, such as ConnectionRefusedError.
            raise OSError(code, os.strerror(code))
    except BaseException:  # a user may be killed while it connects; raised again
        sock.close()
        raise
    return sock


def _open_tunnel(sock: _socket.socket, origin: Origin, settings: ClientSettings, deadline_s: float) -> None:
    """Ask the proxy for a tunnel (RFC 9110, section 9.3.6); afterwards ``sock`` is connected to ``origin``."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    request = f"CONNECT {host}:{origin.port} HTTP/1.1\r\nHost: {host}:{origin.port}\r\n\r\n"
    proxy = Connection(sock, settings.connection_timeout)
    try:
        proxy.send(request.encode("latin-1"), deadline_s)
        # Like a response to HEAD, it has no body.
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
        raise TunnelRefused(status=parser.status)
    if parser.has_surplus:
        raise MalformedResponse(message("proxy-sent-extra-bytes"))
