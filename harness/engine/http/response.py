"""The answer as a scenario sees it: what Locust's ``FastResponse`` offers, made when it is asked for."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Any

from charset_normalizer import detect
from geventhttpclient.header import Headers
from locust.exception import LocustError
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from harness.engine.http.body_stream import BodyStream
from harness.engine.http.cookies import response_cookies
from harness.engine.http.prepared_request import PreparedRequest, Request
from harness.engine.http.response_parser import parse_headers

_USE_CATCH_RESPONSE = (
    "to change the state of a request, pass catch_response=True. "
    "See http://docs.locust.io/en/stable/writing-a-locustfile.html#validating-responses"
)


class Response:
    """An answer; or, with ``status_code`` 0, that there is none, and :attr:`error` says why.

    An answer that broke off behind its head has a status *and* an error, and the part of the body that came.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_content",
        "_elapsed_s",
        "_head",
        "_headers",
        "_history",
        "_request",
        "_sent",
        "_stream",
        "arrived_s",
        "encoding",
        "error",
        "status_code",
    )

    def __init__(
        self, prepared: PreparedRequest, status: int, head: bytes, content: bytes | None, elapsed_s: float | None
    ) -> None:
        self._prepared = prepared
        self.status_code = status
        """0: no answer came."""
        self._raw_headers = head
        self._content = content
        self._elapsed_s = elapsed_s
        self.arrived_s: float | None = None
        """When all of it (of a stream: its head) had reached this machine (``perf_counter``); None: it did not."""
        self.error: BaseException | None = None
        """What the request is recorded with if nobody says otherwise: a failure, or a status that says failure."""
        self.encoding: str | None = None
        """Of the text; to set another, do it before :attr:`text` is read."""
        self._stream: BodyStream | None = None
        self._headers: Headers | None = None
        self._history: list[Response] | None = None
        self._request: Request | None = None

    @property
    def headers(self) -> Headers | None:
        """By any case; a field of several lines is a list. None: no answer came."""
        if self._headers is None and self._raw_headers:
            self._headers = parse_headers(self._raw_headers)
        return self._headers

    @property
    def content(self) -> bytes | None:
        """The body, its content coding undone. None: no answer came. Of a stream: all that has not been read."""
        if self._content is None and self._stream is not None:
            self._content = self._stream.read()
        return self._content

    @property
    def text(self) -> str | None:
        """The body as text, by the encoding that the headers name, else by the one that it looks like."""
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
        types = self.headers.getlist("content-type") if self.headers is not None else []
        named: str | None = None
        if types:
            named = get_encoding_from_headers(CaseInsensitiveDict({"content-type": types[0]}))
        with suppress(LookupError):  # a charset that nobody knows says as much as none
            if named and codecs.lookup(named):
                return named
        return detect(content)["encoding"]

    def json(self) -> Any:
        """The body as JSON; ``json.JSONDecodeError`` where it is none."""
        return json.loads(self.text)  # type: ignore[arg-type]  # no answer: TypeError, as in Locust

    def raise_for_status(self) -> None:
        """Raise :attr:`error` if there is one."""
        if self.error is not None:
            raise self.error

    def iter_content(self, chunk_size: int = 1024, decode_content: bool = True) -> Iterator[bytes | str]:
        """The body in chunks, as they come in if it was asked for with ``stream=True``.

        ``decode_content``: as text where a chunk is UTF-8 by itself.
        """
        if not self._raw_headers:
            raise LocustError("no answer came: there is no content to go through")
        for chunk in self._chunks(chunk_size):
            text: bytes | str = chunk
            if decode_content:
                try:
                    text = chunk.decode()
                except UnicodeDecodeError:  # not text, or cut in the middle of a character
                    text = chunk
            yield text

    def _chunks(self, size: int) -> Iterator[bytes]:
        if self._stream is not None:
            while chunk := self._stream.read(size):
                yield chunk
        content = self._content or b""
        for at in range(0, len(content), size):
            yield content[at : at + size]

    @property
    def ok(self) -> bool:
        """The status is below 400."""
        return self.status_code < HTTPStatus.BAD_REQUEST

    @property
    def url(self) -> str:
        """That of the request; behind redirects, of the last one."""
        return self._prepared.url

    @property
    def request(self) -> Request:
        """The request as it was sent: ``method``, ``url``, ``headers``, ``body``."""
        if self._request is None:
            self._request = self._prepared.as_request()
        return self._request

    @property
    def cookies(self) -> RequestsCookieJar:
        """The cookies that this answer sets."""
        return response_cookies(self.headers or Headers(), self._prepared.origin, self._prepared.target)

    @property
    def elapsed(self) -> timedelta | None:
        """From sending the (last) request until the head of its answer had come. None: no answer came."""
        return None if self._elapsed_s is None else timedelta(seconds=self._elapsed_s)

    @property
    def history(self) -> list[Response]:
        """The redirects that led here, the oldest first."""
        if self._history is None:
            self._history = []
        return self._history

    @property
    def stream(self) -> BodyStream | None:
        """The body of an answer that was asked for with ``stream=True``, to be read in parts."""
        return self._stream

    def read(self, size: int | None = None) -> bytes:
        """The next ``size`` bytes (None: the rest) of a streamed body."""
        if self._stream is None:
            raise LocustError("only a body asked for with stream=True can be read in parts")
        return self._stream.read(size)

    def release(self) -> None:
        """Nothing more of a streamed body is wanted."""
        if self._stream is not None:
            self._stream.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> bool | None:
        self.release()
        return None

    def success(self) -> None:
        """Only with ``catch_response=True``."""
        raise LocustError(_USE_CATCH_RESPONSE)

    def failure(self, exc: BaseException | str) -> None:  # noqa: ARG002  (who can judge overrides this)
        """Only with ``catch_response=True``."""
        raise LocustError(_USE_CATCH_RESPONSE)
