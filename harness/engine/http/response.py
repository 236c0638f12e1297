"""The response that scenarios get, with the attributes of Locust's ``FastResponse``."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from http import HTTPStatus
from typing import Any, Self

from charset_normalizer import detect
from geventhttpclient.header import Headers
from locust.exception import LocustError
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from harness.engine.http.body_stream import BodyStream
from harness.engine.http.cookies import response_cookies
from harness.engine.http.kept_bytes import KeptBytes
from harness.engine.http.prepared_request import PreparedRequest, Request
from harness.engine.http.response_parser import parse_headers

_NOT_KEPT = (
    "the body was counted, but not kept, because this worker keeps 512 MiB of large bodies already; "
    "read it in parts, with stream=True"
)
_USE_CATCH_RESPONSE = (
    "to change the state of a request, pass catch_response=True. "
    "See http://docs.locust.io/en/stable/writing-a-locustfile.html#validating-responses"
)

_OF_HOST_NAMES = ("idna", "punycode")
"""Encodings that decode some other texts, too, but to nonsense."""


class Response:
    """A response. If none arrived, ``status_code`` is 0 and :attr:`error` is the reason.

    A response that ended in the middle of its body has a status *and* an error, and the part of the body that arrived.
    """

    sent_s: float | None = None
    """When its request was sent (``perf_counter``), if it was sent together with others."""
    arrived_s: float | None = None
    """When it, or the headers of a stream, had arrived at this machine (``perf_counter``); None if it did not."""
    error: BaseException | None = None
    """The error that is recorded for the request, unless the scenario decides otherwise."""
    encoding: str | None = None
    """Encoding of :attr:`text`. Set it before you read the text to override the detected one."""
    bytes_received = 0
    """Length of the decoded body, or of the received one if it was not kept."""
    kept: KeptBytes | None = None
    """Counts a large body as long as there is the response."""
    _body: BodyStream | None = None

    def __init__(
        self, prepared: PreparedRequest, status: int, raw_headers: bytes, content: bytes | None, elapsed_s: float | None
    ) -> None:
        self._prepared = prepared
        self.status_code = status
        """0 if no response arrived."""
        self._raw_headers = raw_headers
        self._content = content
        self.elapsed_s = elapsed_s
        """:attr:`elapsed` in seconds."""

    @cached_property
    def headers(self) -> Headers | None:
        """The headers, by name in any case; a header of several lines is a list. None if no response arrived."""
        return parse_headers(self._raw_headers) if self._raw_headers else None

    def header_lines(self, name: str) -> list[str]:
        """The values of a header, one for each of its lines."""
        return self.headers.getlist(name) if self.headers is not None else []

    @property
    def content(self) -> bytes | None:
        """The decoded body, or the unread rest of a stream. None if no response arrived.

        Raises ``LocustError`` if the worker had too many large bodies to keep this one.
        """
        if self._content is None:
            if self._body is not None:
                self._content = self._body.read()
            elif self.bytes_received:
                raise LocustError(_NOT_KEPT)
        return self._content

    @property
    def text(self) -> str | None:
        """The body as text, in the encoding that the headers name, or else the detected one."""
        content = self.content
        if content is None:
            return None
        if self.encoding is None:
            self.encoding = self._detect_encoding(content)
            if self.encoding is None:
                return None
        return str(content, self.encoding, errors="replace")

    def _detect_encoding(self, content: bytes) -> str | None:
        if b"\r\ncontent-type: application/json\r\n" in self._raw_headers.lower():
            return "utf-8"
        for content_type in self.header_lines("content-type")[:1]:
            named = get_encoding_from_headers(CaseInsensitiveDict({"content-type": content_type}))
            # Treat a charset that is unknown, or no encoding of text (base64, idna), like a missing one.
            with suppress(LookupError, UnicodeError):
                if (
                    named
                    and codecs.lookup(named).name not in _OF_HOST_NAMES
                    and str(content[:100] or b" ", named, errors="replace")
                ):
                    return named
        return detect(content)["encoding"]

    def json(self) -> Any:
        """The body as JSON. Raises ``json.JSONDecodeError`` if it is not."""
        return json.loads(self.text)  # type: ignore[arg-type]  # without a response TypeError, as in Locust

    def raise_for_status(self) -> None:
        """Raise :attr:`error` if there is one."""
        if self.error is not None:
            raise self.error

    def iter_content(self, chunk_size: int | None = 1024, decode_content: bool = True) -> Iterator[bytes | str]:
        """Yield the body in chunks; with ``stream=True``, as they arrive. If ``chunk_size`` is None, their size varies.

        With ``decode_content``, a chunk that is valid UTF-8 is text.
        """
        if not self._raw_headers:
            raise LocustError("there is no content, because no response arrived")
        for chunk in self._chunks(chunk_size):
            text: bytes | str = chunk
            if decode_content:
                try:
                    text = chunk.decode()
                except UnicodeDecodeError:  # not UTF-8, or split in the middle of a character
                    text = chunk
            yield text

    def _chunks(self, size: int | None) -> Iterator[bytes]:
        if self._body is not None:
            while chunk := self._body.read_available() if size is None else self._body.read(size):
                yield chunk
        content = self._content or b""
        size = size or len(content) or 1
        for at in range(0, len(content), size):
            yield content[at : at + size]

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < HTTPStatus.BAD_REQUEST

    @property
    def status(self) -> str:
        """The status as text, as urllib3 had it once."""
        return str(self.status_code)

    def info(self) -> Headers | None:
        """The headers, as ``http.client`` returns them."""
        return self.headers

    @property
    def url(self) -> str:
        """URL of the request; after redirects, of the last one."""
        return self._prepared.url

    @cached_property
    def request(self) -> Request:
        """The request as it was sent: ``method``, ``url``, ``headers``, ``body``."""
        return self._prepared.as_request()

    @property
    def cookies(self) -> RequestsCookieJar:
        """The cookies that this response sets."""
        return response_cookies(self.headers or Headers(), self._prepared.origin, self._prepared.target)

    @property
    def elapsed(self) -> timedelta | None:
        """Time from sending the (last) request until its response headers arrived. None if no response arrived."""
        return None if self.elapsed_s is None else timedelta(seconds=self.elapsed_s)

    @cached_property
    def history(self) -> list[Response]:
        """The redirects that were followed, oldest first."""
        return []

    @property
    def stream(self) -> Self | None:
        """The response itself, to be read, if it was requested with ``stream=True``."""
        return self if self._body is not None else None

    def read(self, size: int | None = None) -> bytes:
        """The next ``size`` bytes of a streamed body, or all the rest."""
        return self._streamed.read(size)

    def readline(self, end: bytes = b"\n") -> bytes:
        """The next line of a streamed body, including its line end, which the last one may lack."""
        return self._streamed.readline(end)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks(None)

    @property
    def _streamed(self) -> BodyStream:
        if self._body is None:
            raise LocustError("only the body of a request with stream=True can be read in parts")
        return self._body

    def release(self) -> None:
        """Stop reading a streamed body."""
        if self._body is not None:
            self._body.close()

    def end_body(self, error: BaseException | None) -> None:
        """A streamed body has been read to its end, or cannot be."""

    def __enter__(self) -> Response:
        return self

    def __exit__(self, kind: Any = None, error: Any = None, trace: Any = None) -> bool | None:
        self.release()
        return None

    def success(self) -> None:
        """Available only with ``catch_response=True``."""
        raise LocustError(_USE_CATCH_RESPONSE)

    def failure(self, exc: BaseException | str) -> None:  # noqa: ARG002  (overridden for catch_response)
        """Available only with ``catch_response=True``."""
        raise LocustError(_USE_CATCH_RESPONSE)
