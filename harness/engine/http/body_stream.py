"""A response body that is received while the scenario reads it (``stream=True``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import ReferenceType

from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connection import Connection
from harness.engine.http.connection_pool import OriginPool
from harness.engine.http.decoders import Decoder
from harness.engine.http.http11 import receive_data
from harness.engine.http.kept_bytes import LARGE_BYTES, KeptBytes
from harness.engine.http.response_parser import ResponseParser
from harness.engine.request_failures import RequestFailure, ResponseTooLarge

if TYPE_CHECKING:
    from harness.engine.http.response import Response


@dataclass(eq=False)
class BodyStream:
    """Keeps its connection until the body has been read, or the stream is closed or dropped."""

    _parser: ResponseParser
    _connection: Connection | None
    _origin_pool: OriginPool
    _settings: ClientSettings
    _started_s: float
    _codings: list[str]
    _response: ReferenceType[Response]
    """Called when the body has ended. It exists as long as there is a reader."""
    _decoder: Decoder | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _kept: KeptBytes = field(default_factory=KeptBytes)
    _ended: bool = False

    def read(self, size: int | None = None) -> bytes:
        """The next ``size`` bytes, fewer only at the end, or all the rest.

        Raises :class:`~harness.engine.request_failures.RequestFailure` if the rest of the response cannot be received.
        One that cannot be decoded, or is too large, ends early.
        """
        buffer = self._buffer
        while not self._ended and (size is None or len(buffer) < size):
            self._receive()
        if size is None:
            size = len(buffer)
        part = bytes(buffer[:size])
        del buffer[:size]
        return part

    def read_available(self) -> bytes:
        """What has arrived, waiting for it if necessary; empty at the end of the body."""
        while not self._ended and not self._buffer:
            self._receive()
        part = bytes(self._buffer)
        self._buffer.clear()
        return part

    def readline(self, end: bytes = b"\n") -> bytes:
        """The next line, including its line end, which the last one may lack."""
        searched = 0
        while (at := self._buffer.find(end, searched)) < 0 and not self._ended:
            searched = max(0, len(self._buffer) - len(end) + 1)
            self._receive()
        return self.read(at + len(end) if at >= 0 else None)

    def _receive(self) -> None:
        parser = self._parser
        try:
            part = parser.take_body()
            if not part and not parser.complete and self._connection is not None:
                receive_data(self._connection, parser, self._settings, self._started_s)
                part = parser.take_body()
        except BaseException as error:  # the rest cannot be read; raised again
            self._end(error)
            raise
        complete = parser.complete
        try:
            if self._codings:
                if self._decoder is None:
                    self._decoder = Decoder(self._codings, self._settings.max_response_bytes)
                part = self._decoder.decode(part, last=complete)
            self._buffer += part
            size = len(self._buffer)
            if size > self._settings.max_response_bytes or (size > LARGE_BYTES and not self._kept.fit(size)):
                raise ResponseTooLarge
        except RequestFailure as error:  # not raised, because FastHttpUser neither decodes nor limits a stream
            self._end(error)
            return
        if complete or self._connection is None:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        self._ended = True
        self.close()
        response = self._response()
        if response is not None:
            response.end_body(error)

    def close(self) -> None:
        """Return the connection to the pool, or close it if part of the body is unread."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._parser.reusable:
            self._origin_pool.release(connection)
        else:
            self._origin_pool.discard(connection)

    def __del__(self) -> None:
        self.close()
