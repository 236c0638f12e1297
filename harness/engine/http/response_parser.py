"""From bytes to an answer: llhttp (by httptools) frames and checks it; headers stay raw until somebody reads them.

What no parser callback reports is found here: whether bytes came behind the answer's end (then the connection is not
used again), and what the end of the connection means for a body without a length (RFC 9112, section 6.3).
"""

from __future__ import annotations

from geventhttpclient.header import Headers
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from harness.engine.http.response_header_cache import CachedHeaders, ResponseHeaderCache
from harness.engine.request_failures import ConnectionClosed, HeadersTooLarge, MalformedResponse, TruncatedResponse

_SWITCHING_PROTOCOLS = 101
_HEAD_END = b"\r\n\r\n"
_MAX_IDLE_PARSERS = 64
"""Readers kept for later answers; one is needed only while an answer is coming in."""

_cached_headers = ResponseHeaderCache()


class ResponseParser:
    """Reads one answer; :meth:`acquire` gives one, :meth:`recycle` gives it back."""

    __slots__ = (
        "_body_bytes",
        "_broken",
        "_bytes_after_headers",
        "_chunks",
        "_is_head_request",
        "_keep_alive",
        "_max_header_bytes",
        "_parser",
        "_raw",
        "_surplus",
        "_tail",
        "_taken",
        "body",
        "complete",
        "has_content_coding",
        "interim_responses",
        "on_body",
        "raw_headers",
        "received",
        "sets_cookies",
        "status",
    )

    _idle_parsers: list[ResponseParser] = []  # noqa: RUF012  (one for all)

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.on_body = self._chunks.append
        self._parser = HttpResponseParser(self)
        self._reset(is_head_request=False, max_header_bytes=0)

    @classmethod
    def acquire(cls, method: str, max_header_bytes: int) -> ResponseParser:
        """For the answer to a request by ``method``."""
        parser = cls._idle_parsers.pop() if cls._idle_parsers else cls()
        parser._reset(is_head_request=method == "HEAD", max_header_bytes=max_header_bytes)
        return parser

    def _reset(self, *, is_head_request: bool, max_header_bytes: int) -> None:
        self._is_head_request = is_head_request
        self._max_header_bytes = max_header_bytes
        self.status = 0
        """Of the final answer, as soon as its head is complete."""
        self.raw_headers = b""
        """Status line and header lines of the final answer, to the empty line."""
        self.sets_cookies = False
        self.has_content_coding = False
        """The head names a content coding."""
        self.body = b""
        """All of the body (less what :meth:`take_body` gave), once the answer is complete."""
        self.complete = False
        self.received = 0
        """Bytes so far."""
        self.interim_responses = 0
        """Interim (1xx) answers so far."""
        self._raw = b""
        self._tail = b""
        self._bytes_after_headers = 0
        self._body_bytes = 0
        self._taken = 0
        self._surplus = False
        self._broken: str | None = None
        self._keep_alive = False
        self._chunks.clear()

    # The parser's callbacks.

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

    # The reader's own interface.

    def feed(self, data: bytes) -> None:
        """Take the next bytes, at least one.

        Raises :class:`MalformedResponse` and :class:`HeadersTooLarge`; both leave :attr:`status` 0 if the head was not
        complete.
        """
        if not self.received and self._feed_cached(data):
            return
        self.received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as fault:
            self._broken = str(fault)
        except HttpParserUpgrade:
            self._broken = "a switch of protocols that nobody asked for"
        if self.raw_headers:
            self._bytes_after_headers += len(data)
            self._tail = data[-6:] if len(data) >= 6 else (self._tail + data)[-6:]
        else:
            self._find_headers(data)
        if self._broken is not None and not self.complete:
            raise MalformedResponse(self._broken)

    def _feed_cached(self, data: bytes) -> bool:
        """Take in a whole answer whose head is known; False: it is another."""
        end = data.find(_HEAD_END) + 4
        known = _cached_headers.find(data[:end])
        if (
            known is None
            or len(data) - end != known.body_bytes
            or self._is_head_request
            or end > self._max_header_bytes
        ):
            return False
        self.received = len(data)
        self.raw_headers, self.status, self._body_bytes, self.sets_cookies, self.has_content_coding = known
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
            raw = raw[raw.find(_HEAD_END) + 4 :].lstrip(b"\r\n")
        end = raw.find(_HEAD_END) + 4
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
            # The parser cannot know that no body comes.
            self.complete = True
            self.body = b""
        elif self._bytes_after_headers == self._body_bytes and self.reusable and not self.interim_responses:
            # Its body is as long as it says: one in chunks is longer by what is between them.
            known = CachedHeaders(
                self.raw_headers, self.status, self._body_bytes, self.sets_cookies, self.has_content_coding
            )
            _cached_headers.add(known)

    def forbid_reuse(self) -> None:
        """Whatever comes, the connection is not to be used again."""
        self._surplus = True

    def _gather(self) -> None:
        chunks = self._chunks
        self.body = body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._body_bytes = self._taken + len(body)

    def take_body(self) -> bytes:
        """The part of the body that has come since the last call."""
        if self.complete:
            part, self.body = self.body, b""
        else:
            part = b"".join(self._chunks)
            self._chunks.clear()
            self._taken += len(part)
        return part

    def feed_eof(self) -> None:
        """The server has closed its end: the answer is complete, or it raises :class:`TruncatedResponse`.

        :class:`ConnectionClosed` where nothing has come at all.
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
        """Bytes came behind the end of a complete answer."""
        return self._surplus or self._bytes_after_headers != self._body_bytes

    @property
    def reusable(self) -> bool:
        """The answer is complete, and the connection good for another request."""
        if not self.complete or self._surplus or self._broken is not None:
            return False
        if self._is_head_request:
            return not self._bytes_after_headers and _keeps_alive(self.raw_headers)
        if not self._keep_alive:
            return False
        return self._bytes_after_headers == self._body_bytes or self._ends_with_last_chunk()

    def _ends_with_last_chunk(self) -> bool:
        """Chunked, and no line ends behind the last chunk: those are the only surplus that the parser overlooks."""
        chunked = b"chunked" in self.raw_headers.lower()
        return chunked and self._tail.endswith(_HEAD_END) and not self._tail.endswith(b"\r\n\r\n\r\n")

    def recycle(self) -> None:
        """This reader is not needed any more."""
        if (
            self._keep_alive
            and self._broken is None
            and not self._surplus
            and len(self._idle_parsers) < _MAX_IDLE_PARSERS
        ):
            self._chunks.clear()
            self.body = b""
            self._idle_parsers.append(self)


def parse_headers(head: bytes) -> Headers:
    """The header lines of a checked head. Continued lines (obs-fold) are joined by a space, as RFC 9112 5.2 has it."""
    headers = Headers()
    name, value = "", ""
    for line in head.decode("latin-1").split("\r\n")[1:-2]:
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


def _keeps_alive(head: bytes) -> bool:
    options = {o.strip().lower() for line in parse_headers(head).getlist("connection") for o in line.split(",")}
    return "close" not in options if head.startswith(b"HTTP/1.1") else "keep-alive" in options
