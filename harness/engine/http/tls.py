"""TLS: contexts, shared where they can be, and a connection whose bytes pass through one."""

from __future__ import annotations

import _socket
import ssl
from collections.abc import Callable
from functools import cache
from time import perf_counter

from harness.engine.http.connection import READ_SIZE, Connection, WaitTimeout


@cache
def default_context(*, insecure: bool) -> ssl.SSLContext:
    """One for all users of this process: each would take some 100 KB."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def make_context(factory: Callable[..., ssl.SSLContext] | None, *, insecure: bool) -> ssl.SSLContext:
    """What ``factory`` makes; as in Locust, ``insecure`` decides whether the certificate must name the host, and if it
    must, the system's authorities are known, too."""
    if factory is None:
        return default_context(insecure=insecure)
    context = factory()
    context.check_hostname = not insecure
    if not insecure:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_default_certs()
    return context


class TlsConnection(Connection):
    """A connection through TLS. It is used after :meth:`handshake`."""

    __slots__ = ("_incoming", "_outgoing", "_tls")

    def __init__(self, sock: _socket.socket, limit_s: float, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(sock, limit_s)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    def handshake(self, limit_s: float) -> None:
        """Raises :class:`ssl.SSLError`, and :class:`WaitTimeout` after ``limit_s``."""
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
                self._flush(deadline_s)  # tells the server what is wrong with it
                raise
            else:
                self._flush(deadline_s)
                return

    def is_clean(self) -> bool:
        silent = super().is_clean()
        if silent and not self._incoming.pending and not self._tls.pending():
            return True
        # That need not be surplus: servers send session tickets when the handshake is over.
        try:
            if not silent:
                self._fill(self._sock.recv(READ_SIZE))
            self._tls.read(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        return False

    def send(self, data: bytes, deadline_s: float) -> int:
        """As :meth:`Connection.send`; where not all went, how many bytes of TLS did, but less than ``len(data)``.

        So 0 says that the server has seen nothing.
        """
        self._tls.write(data)
        coded = self._outgoing.read()
        sent = super().send(coded, deadline_s)
        return len(data) if sent == len(coded) else min(sent, len(data) - 1)

    def receive(self, limit_s: float) -> bytes:
        return self.receive_more(limit_s)

    def receive_more(self, limit_s: float) -> bytes:
        deadline_s = perf_counter() + limit_s
        while True:
            try:
                return self._tls.read(READ_SIZE)
            except ssl.SSLWantReadError:
                left_s = deadline_s - perf_counter()
                if left_s <= 0:  # what comes may make no record for ever
                    raise WaitTimeout from None
                self._flush(deadline_s)
                self._fill(super().receive(left_s))
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                # Many servers leave the closing alert out; that a body is whole is for its framing to say.
                return b""

    def _fill(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self, deadline_s: float) -> None:
        """Send what TLS itself has to say; that the server has ended the connection shows when it is read."""
        data = self._outgoing.read()
        if data:
            super().send(data, deadline_s)
