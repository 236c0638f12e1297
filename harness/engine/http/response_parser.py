"""Parses responses with llhttp (through httptools); headers stay bytes until they are read.

Two things that llhttp's callbacks do not report are found here: whether bytes follow the end of the response, in which
case the connection must not be reused, and whether the end of the connection ends the body (RFC 9112, section 6.3).
"""

from __future__ import annotations

from geventhttpclient.header import Headers
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from harness.engine.http.kept_bytes import LARGE_BYTES, KeptBytes
from harness.engine.http.response_header_cache import HEADERS_END, CachedHeaders, header_cache
from harness.engine.request_failures import ConnectionClosed, HeadersTooLarge, MalformedResponse, TruncatedResponse
from harness.messages import Message, message

_SWITCHING_PROTOCOLS = 101
_MAX_IDLE_PARSERS = 64
_idle_parsers: list[ResponseParser] = []
"""One list for the process, because a parser is needed only while a response arrives."""


class ResponseParser:
    """Parses one response. Get a parser from :meth:`acquire` and hand it back with :meth:`recycle`."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.on_body = self._chunks.append
        self._parser = HttpResponseParser(self)
        self._reset(is_head_request=False, max_header_bytes=0)

    @classmethod
    def acquire(cls, method: str, max_header_bytes: int) -> ResponseParser:
        """A parser for the response to a request with ``method``."""
        parser = _idle_parsers.pop() if _idle_parsers else cls()
        parser._reset(is_head_request=method == "HEAD", max_header_bytes=max_header_bytes)
        return parser

    def _reset(self, *, is_head_request: bool, max_header_bytes: int) -> None:
        self._is_head_request = is_head_request
        self._max_header_bytes = max_header_bytes
        self.status = 0
        """Status of the final response; 0 until its headers are complete."""
        self.raw_headers = b""
        """Status line and headers of the final response, including the empty line."""
        self.sets_cookies = False
        self.has_content_coding = False
        """Whether there is a ``Content-Encoding``."""
        self.body = b""
        """The body once the response is complete, without what :meth:`take_body` has returned."""
        self.complete = False
        self.received = 0
        """Bytes received so far."""
        self.interim_responses = 0
        """Interim (1xx) responses received so far."""
        self._raw = b""
        self._tail = b""
        self._bytes_after_headers = 0
        self._body_bytes = 0
        self._taken = 0
        self.kept: KeptBytes | None = None
        """Set if the body is large."""
        self.counted = False
        """Whether the body is counted, and not kept."""
        self._surplus = False
        self._problem: Message | None = None
        self._keep_alive = False
        self._chunks.clear()

    # Callbacks of llhttp.

    def on_message_begin(self) -> None:
        if self.complete:
            self._surplus = True

    def on_headers_complete(self) -> None:
        if self.status:
            return
        status = self._parser.get_status_code()
        if status >= 200 or status == _SWITCHING_PROTOCOLS:
            self.status = status
        else:
            self.interim_responses += 1

    def on_message_complete(self) -> None:
        if self.status and not self.complete:
            self.complete = True
            self._keep_alive = self._parser.should_keep_alive()
            self._gather()

    # The interface of this class.

    def feed(self, data: bytes) -> None:
        """Parse the next bytes, at least one.

        Raises :class:`MalformedResponse` and :class:`HeadersTooLarge`; both leave :attr:`status` 0 if the headers were
        not complete.
        """
        if not self.received and self._feed_cached(data):
            return
        self.received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._problem = message("invalid-http", reason=str(error))
        except HttpParserUpgrade:
            self._problem = message("unexpected-protocol-switch")
        if self.raw_headers:
            self._bytes_after_headers += len(data)
            self._tail = data[-6:] if len(data) >= 6 else (self._tail + data)[-6:]
        else:
            self._find_headers(data)
        if self._problem is not None and not self.complete:
            raise MalformedResponse(self._problem)

    def _feed_cached(self, data: bytes) -> bool:
        """Take a whole response with cached headers. Returns False, having done nothing, if it is not one."""
        cached = header_cache.recognize(data)
        if cached is None or self._is_head_request:
            return False
        end = len(cached.text)
        if end > self._max_header_bytes:
            return False
        self.received = len(data)
        self.raw_headers, self.status, self._body_bytes, self.sets_cookies, self.has_content_coding = cached
        self._bytes_after_headers = self._body_bytes
        self.body = data[end:]
        self.complete = self._keep_alive = True
        return True

    def _find_headers(self, data: bytes) -> None:
        raw = self._raw + data if self._raw else data.lstrip(b"\r\n")
        if not self.status:
            self._raw = raw
            if self.received > self._max_header_bytes:
                raise HeadersTooLarge
            return
        for _ in range(self.interim_responses):
            raw = raw[raw.find(HEADERS_END) + 4 :].lstrip(b"\r\n")
        end = raw.find(HEADERS_END) + 4
        if end > self._max_header_bytes:
            raise HeadersTooLarge
        self.raw_headers = raw[:end]
        lowered = self.raw_headers.lower()
        self.sets_cookies = b"\r\nset-cookie:" in lowered
        self.has_content_coding = b"\r\ncontent-encoding:" in lowered
        self._raw = b""
        self._bytes_after_headers = len(raw) - end
        self._tail = raw[-6:]
        if self._is_head_request:
            # llhttp does not know that no body follows.
            self.complete = True
            self.body = b""
        elif self._bytes_after_headers == self._body_bytes and self.reusable and not self.interim_responses:
            # Not chunked: the framing of chunks would add to the bytes after the headers.
            headers = CachedHeaders(
                self.raw_headers, self.status, self._body_bytes, self.sets_cookies, self.has_content_coding
            )
            header_cache.add(headers)

    def forbid_reuse(self) -> None:
        """Make :attr:`reusable` false, whatever arrives."""
        self._surplus = True

    def _gather(self) -> None:
        chunks = self._chunks
        self.body = body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._body_bytes = self._taken + len(body)

    def bound_memory(self) -> None:
        """Stop keeping a large body if the process already keeps too much."""
        if self.received > LARGE_BYTES and not self.counted:
            self.kept = self.kept or KeptBytes()
            self.counted = not self.kept.fit(self.received)
        if self.counted:
            self.take_body()

    @property
    def body_bytes(self) -> int:
        """The length of a complete body."""
        return self._body_bytes

    def take_body(self) -> bytes:
        """The part of the body that has arrived since the last call."""
        if self.complete:
            part, self.body = self.body, b""
        else:
            part = b"".join(self._chunks)
            self._chunks.clear()
            self._taken += len(part)
        return part

    def feed_eof(self) -> None:
        """The server has closed its end, which may end the body.

        Raises :class:`TruncatedResponse`, or :class:`ConnectionClosed` if nothing has arrived at all.
        """
        if not self.received:
            raise ConnectionClosed
        if not self.raw_headers or not self._ends_at_close():
            raise TruncatedResponse
        self.complete = True
        self._gather()

    def _ends_at_close(self) -> bool:
        headers = parse_headers(self.raw_headers)
        codings = ",".join(headers.getlist("transfer-encoding")).lower()
        if codings:
            return codings.rpartition(",")[2].strip() != "chunked"
        return "content-length" not in headers

    @property
    def has_surplus(self) -> bool:
        """Whether bytes followed the end of the response."""
        return self._surplus or self._bytes_after_headers != self._body_bytes

    @property
    def reusable(self) -> bool:
        """Whether the response is complete and its connection can be used for another request."""
        if not self.complete or self._surplus or self._problem is not None:
            return False
        if self._is_head_request:
            return not self._bytes_after_headers and _keeps_alive(self.raw_headers)
        if not self._keep_alive:
            return False
        return self._bytes_after_headers == self._body_bytes or self._ends_with_last_chunk()

    def _ends_with_last_chunk(self) -> bool:
        """Whether the last chunk ends the bytes. llhttp ignores line ends after it, and no other surplus."""
        chunked = b"chunked" in self.raw_headers.lower()
        return chunked and self._tail.endswith(HEADERS_END) and not self._tail.endswith(b"\r\n\r\n\r\n")

    def recycle(self) -> None:
        """Make the parser available for another response."""
        if self._keep_alive and self._problem is None and not self._surplus and len(_idle_parsers) < _MAX_IDLE_PARSERS:
            self._chunks.clear()
            self.body, self.kept = b"", None
            _idle_parsers.append(self)


def parse_headers(raw_headers: bytes) -> Headers:
    """Parse valid headers. Folded lines are joined with a space (RFC 9112, section 5.2)."""
    headers = Headers()
    name, value = "", ""
    for line in raw_headers.decode("latin-1").split("\r\n")[1:-2]:
        if line[0] in " \t":
            value += " " + line.strip(" \t")
            continue
        if name:
            headers.add(name, value)
        name, _, value = line.partition(":")
        value = value.strip(" \t")
    if name:
        headers.add(name, value)
    return headers


def _keeps_alive(raw_headers: bytes) -> bool:
    lines = parse_headers(raw_headers).getlist("connection")
    options = {option.strip().lower() for line in lines for option in line.split(",")}
    return "close" not in options if raw_headers.startswith(b"HTTP/1.1") else "keep-alive" in options
