"""A request as it is sent, and remembered for ``response.request``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from geventhttpclient.useragent import CompatRequest

from harness.engine.http.origin import Origin
from harness.engine.http.request_body import RequestBody, encode_chunked
from harness.engine.http.request_headers import RequestHeaders

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
"""Their requests say so when they have no body (RFC 9110, section 8.6)."""


class Request(CompatRequest):
    """As Locust's ``FastRequest``: ``method``, ``url``, ``headers``, ``body``."""

    @property
    def body(self) -> Any:
        """What was given to be sent, encoded if it was fields."""
        return self.payload


class PreparedRequest:
    """One request to one origin. A redirect makes another."""

    __slots__ = ("body", "cookie", "encoded", "headers", "method", "origin", "params", "target", "url")

    def __init__(
        self,
        method: str,
        url: str,
        origin: Origin,
        target: str,
        headers: RequestHeaders,
        body: RequestBody,
        params: Any = None,
    ) -> None:
        self.method = method
        self.url = url
        """As the scenario or the redirect has it."""
        self.origin = origin
        self.target = target
        self.headers = headers
        self.body = body
        self.params = params
        """What the target has beyond the URL."""
        self.cookie = ""
        self.encoded: bytes | None = None
        """All of it, encoded, where :meth:`encode_once` was called."""

    def encode_once(self) -> None:
        """Encode it once for all times that it is sent. It has no body, and is not changed from now on."""
        self.encoded = self.encode(self.target)

    def with_cookie(self, cookie: str) -> PreparedRequest:
        """The same with a ``Cookie`` field."""
        prepared = PreparedRequest(
            self.method, self.url, self.origin, self.target, self.headers, self.body, self.params
        )
        prepared.cookie = cookie
        return prepared

    def encode(self, target: str) -> bytes:
        """The head, and the body if it is known whole; ``target`` is as the receiver (a proxy, say) wants it."""
        headers, body = self.headers, self.body
        text = f"{self.method} {target}{headers.text}"
        if self.cookie:
            text += f"Cookie: {self.cookie}\r\n"
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
        """What follows :meth:`encode`; None: nothing."""
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
        """It can be sent a second time: no part of its body is read while it is sent."""
        return self.body.chunks is None

    def as_request(self) -> Request:
        """As a scenario sees it."""
        headers = self.headers.fields.copy()
        if self.body.data and not self.headers.has_length:
            headers["content-length"] = str(len(self.body.data))
        if self.cookie:
            headers["Cookie"] = self.cookie
        return Request(self.url, method=self.method, headers=headers, payload=self.body.payload, params=self.params)
