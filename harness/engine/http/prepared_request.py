"""A request that is ready to be sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from geventhttpclient.useragent import CompatRequest

from harness.engine.http.origin import Origin
from harness.engine.http.request_body import RequestBody, encode_chunked
from harness.engine.http.request_headers import RequestHeaders

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
"""Their requests have a ``Content-Length`` even without a body (RFC 9110, section 8.6)."""


class Request(CompatRequest):
    """What ``response.request`` returns, like Locust's ``FastRequest``: ``method``, ``url``, ``headers``, ``body``."""

    @property
    def body(self) -> Any:
        """The body that the scenario passed; form fields are encoded."""
        return self.payload


@dataclass(slots=True, eq=False)
class PreparedRequest:
    """One request to one origin. Following a redirect prepares another one."""

    method: str
    url: str
    """The URL that the scenario or the redirect gave."""
    origin: Origin
    target: str
    headers: RequestHeaders
    body: RequestBody
    params: Any = None
    """Query parameters that were passed apart from the URL."""
    cookie: str = ""
    traceparent: str = ""
    """See :mod:`harness.engine.http.tracing`; empty for most requests."""
    encoded: bytes | None = None
    """The whole request, if it is encoded once for all times that it is sent. Nothing must change afterwards."""
    is_simple: bool = False
    """Whether :attr:`encoded` may be sent again on another connection, and its response keeps the connection open."""

    def with_cookie(self, cookie: str) -> PreparedRequest:
        """A copy with a ``Cookie`` header."""
        return self._with(cookie, self.traceparent)

    def with_traceparent(self, traceparent: str) -> PreparedRequest:
        """A copy with a ``traceparent`` header."""
        return self._with(self.cookie, traceparent)

    def _with(self, cookie: str, traceparent: str) -> PreparedRequest:
        return PreparedRequest(
            self.method, self.url, self.origin, self.target, self.headers, self.body, self.params, cookie, traceparent
        )

    def encode(self, target: str) -> bytes:
        """The request line, the headers, and the body unless :meth:`body_chunks` returns it.

        ``target`` is the request target; a proxy takes a different one.
        """
        headers, body = self.headers, self.body
        text = f"{self.method} {target}{headers.text}"
        if self.cookie:
            text += f"Cookie: {self.cookie}\r\n"
        if self.traceparent:
            text += f"traceparent: {self.traceparent}\r\n"
        if headers.chunked:
            return (text + "\r\n").encode("latin-1")
        if body.chunks is not None:
            if not headers.has_length:
                text += (
                    "Transfer-Encoding: chunked\r\n" if body.length is None else f"Content-Length: {body.length}\r\n"
                )
            return (text + "\r\n").encode("latin-1")
        if (body.data or self.method in _BODY_METHODS) and not headers.has_length:
            text += f"Content-Length: {len(body.data)}\r\n"
        if headers.expects_continue:
            return (text + "\r\n").encode("latin-1")
        return (text + "\r\n").encode("latin-1") + body.data

    def body_chunks(self) -> Iterable[bytes] | None:
        """The body that is sent after :meth:`encode`, if any."""
        headers, body = self.headers, self.body
        chunks = body.chunks
        if chunks is None:
            if not headers.chunked and not headers.expects_continue:
                return None
            chunks = (body.data,) if body.data else ()
        if headers.chunked or (body.chunks is not None and body.length is None and not headers.has_length):
            return encode_chunked(chunks)
        return chunks

    @property
    def replayable(self) -> bool:
        """Whether it can be sent again: its body is not read while it is sent."""
        return self.body.chunks is None

    def as_request(self) -> Request:
        """The request as scenarios see it."""
        headers = self.headers.fields.copy()
        if self.body.data and not self.headers.has_length:
            headers["content-length"] = str(len(self.body.data))
        if self.cookie:
            headers["Cookie"] = self.cookie
        if self.traceparent:
            headers["traceparent"] = self.traceparent
        return Request(self.url, method=self.method, headers=headers, payload=self.body.payload, params=self.params)
