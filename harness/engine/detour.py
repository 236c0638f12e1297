"""Redirects a worker's connections to the target through a proxy; URLs and headers do not change."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import gevent.socket

from harness.plan.hosts import address_of_url

_proxies: dict[tuple[str, int], tuple[str, int]] = {}
"""By the address to connect to: the address at which its proxy listens."""


def redirected(family: int, address: Any) -> Any:
    """Where a TCP socket of that family connects to instead of ``address``."""
    way = _proxies.get(address[:2]) if _proxies and isinstance(address, tuple) else None
    if way is None:
        return address
    host, port = way
    return (f"::ffff:{host}" if family == socket.AF_INET6 else host, port)


def redirect_to_proxy(url: str, proxy: tuple[str, int]) -> None:
    """Until this process ends, connect to ``proxy`` (an IPv4 address) instead of the host and port of ``url``.

    That holds for the harness's client and for all that uses Python's sockets. Raises ``OSError`` if the host of the
    URL is not known.
    """
    address = address_of_url(url)
    assert address is not None, "the controller has put a proxy before it"
    host, port = address
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    _proxies.update({(name, port): proxy for name in (host, *(str(entry[4][0]) for entry in found))})
    for method in ("connect", "connect_ex"):
        setattr(gevent.socket.socket, method, _leading(getattr(gevent.socket.socket, method)))


def _leading(connect: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def lead(sock: Any, address: Any) -> Any:
        return connect(sock, redirected(sock.family, address) if sock.type == socket.SOCK_STREAM else address)

    return lead
