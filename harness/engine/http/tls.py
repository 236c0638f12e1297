"""TLS contexts, shared between users if possible, and connections that use them."""

from __future__ import annotations

import _socket
import ssl
from collections.abc import Callable
from functools import cache
from time import perf_counter

from harness.engine.http.connection import READ_SIZE, Connection, WaitTimeout


@cache
def default_context(*, insecure: bool) -> ssl.SSLContext:
    """One context for all users of a process, since each takes about 100 KB."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def make_context(factory: Callable[..., ssl.SSLContext] | None, *, insecure: bool) -> ssl.SSLContext:
    """The context of ``factory``, or the default one.

    As in Locust, ``insecure`` overrides how the factory's context verifies certificates. If it is off, the
    certificate must name the host, and the authorities of the system are trusted too.
    """
    if factory is None:
        return default_context(insecure=insecure)
    context = factory()
    context.check_hostname = not insecure
    if not insecure:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_default_certs()
    return context


class TlsConnection(Connection):
    """A connection over TLS. Call :meth:`handshake` first."""

    def __init__(self, sock: _socket.socket, limit_s: float, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(sock, limit_s)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    def handshake(self, limit_s: float) -> None:
        """Perform the handshake. Raises :class:`ssl.SSLError`, and :class:`WaitTimeout` after ``limit_s``."""
        deadline_s = perf_counter() + limit_s
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush(deadline_s)
                left_s = deadline_s - perf_counter()
                if left_s <= 0:
                    raise WaitTimeout from None
                self._fill(super().receive(left_s))
            except ssl.SSLError:
                self._flush(deadline_s)  # send the alert that tells the server what is wrong
                raise
            else:
                self._flush(deadline_s)
                return

    def has_expired(self) -> bool:
        readable = super().has_expired()
        if not readable and not self._incoming.pending and not self._tls.pending():
            return False
        # The bytes may be part of TLS: servers send session tickets after the handshake.
        try:
            if readable:
                self._fill(self._sock.recv(READ_SIZE))
            self._tls.read(1)
        except ssl.SSLWantReadError:
            return False
        except OSError:
            return True
        return True

    def exchange(self, data: bytes) -> bytes:
        self.sent_s = perf_counter()
        if self.has_expired() or self.send(data, self.sent_s + self.limit_s) != len(data):
            return b""
        return self.receive(self.limit_s)

    def send(self, data: bytes, deadline_s: float) -> int:
        """Like :meth:`Connection.send`. A partial send counts encrypted bytes, but stays below ``len(data)``.

        So 0 means that the server has seen nothing.
        """
        self._tls.write(data)
        encrypted = self._outgoing.read()
        sent = super().send(encrypted, deadline_s)
        return len(data) if sent == len(encrypted) else min(sent, len(data) - 1)

    def receive(self, limit_s: float) -> bytes:
        return self.receive_more(limit_s)

    def receive_more(self, limit_s: float) -> bytes:
        deadline_s = perf_counter() + limit_s
        while True:
            try:
                return self._tls.read(READ_SIZE)
            except ssl.SSLWantReadError:
                left_s = deadline_s - perf_counter()
                if left_s <= 0:  # bytes may keep arriving without completing a TLS record
                    raise WaitTimeout from None
                self._flush(deadline_s)
                self._fill(super().receive(left_s))
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                # Many servers omit the closing alert. The framing of the body shows whether it is complete.
                return b""

    def _fill(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self, deadline_s: float) -> None:
        """Send pending TLS records. If the server has closed the connection, the next read reports it."""
        data = self._outgoing.read()
        if data:
            super().send(data, deadline_s)
