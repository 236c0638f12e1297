"""Listens for clients, connects each to the upstream, and applies the present conditions."""

from __future__ import annotations

import asyncio
import socket

from harness.proxies.conditions import CLEAR, Conditions
from harness.proxies.link import Link

_BACKLOG = 1024
_CONNECT_S = 60.0

Address = tuple[str, int]


class Proxy:
    """One address to listen on, and where its connections lead. Runs in an event loop."""

    def __init__(self, upstream: Address) -> None:
        self._upstream = upstream
        self._conditions = CLEAR
        self._links: set[Link] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> Address:
        """Begin to listen; port 0 is any free one. The address. Raises ``OSError``."""
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self._socket = _bound(family, address)
        if port == 0:  # while nothing listens, the port stays reserved only if it was bound by its number
            address = self._socket.getsockname()
            self._socket.close()
            self._socket = _bound(family, address)
        await self._listen()
        found = self._socket.getsockname()
        return str(found[0]), int(found[1])

    async def meet(self, conditions: Conditions) -> None:
        """Put open and new connections under these conditions."""
        self._conditions = conditions = CLEAR if conditions == CLEAR else conditions  # links ask whether it is that
        if conditions.closes_listener:
            self._stop_listening()
        for link in [*self._links]:
            link.meet(conditions)
        if not conditions.closes_listener:
            await self._listen()

    @property
    def has_links(self) -> bool:
        return bool(self._links)

    async def _listen(self) -> None:
        if self._server is None:
            # It gets a descriptor of its own to close: the socket stays bound.
            self._server = await asyncio.get_running_loop().create_server(
                self._accept, sock=self._socket.dup(), backlog=_BACKLOG
            )

    def _stop_listening(self) -> None:
        """The kernel refuses new connections, and resets those that were not accepted yet."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._socket.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> asyncio.Protocol:
        link = Link(self._conditions, self._begin_to_connect, self._links.discard)
        self._links.add(link)
        return link.client

    def _begin_to_connect(self, link: Link) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(link))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await loop.create_connection(lambda: link.upstream, *self._upstream)
        except OSError:  # the client sees a reset, since it is connected already
            link.reset()


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
