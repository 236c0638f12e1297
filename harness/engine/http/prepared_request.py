"""A request as it is sent, and remembered for ``response.request``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from geventhttpclient.useragent import CompatRequest

from harness.engine.http.body import Body, chunked
from harness.engine.http.origin import Origin
from harness.engine.http.request_headers import Head

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

    __slots__ = ("body", "cookie", "head", "method", "origin", "params", "target", "url", "whole")

    def __init__(
        self, method: str, url: str, origin: Origin, target: str, head: Head, body: Body, params: Any = None
    ) -> None:
        self.method = method
        self.url = url
        """As the scenario or the redirect has it."""
        self.origin = origin
        self.target = target
        self.head = head
        self.body = body
        self.params = params
        """What the target has beyond the URL."""
        self.cookie = ""
        self.whole: bytes | None = None
        """All of it, encoded, where :meth:`keep` was called."""

    def keep(self) -> None:
        """Encode it once for all times that it is sent. It has no body, and is not changed from now on."""
        self.whole = self.encoded(self.target)

    def with_cookie(self, cookie: str) -> PreparedRequest:
        """The same with a ``Cookie`` field."""
        sent = PreparedRequest(self.method, self.url, self.origin, self.target, self.head, self.body, self.params)
        sent.cookie = cookie
        return sent

    def encoded(self, target: str) -> bytes:
        """The head, and the body if it is known whole; ``target`` is as the receiver (a proxy, say) wants it."""
        head, body = self.head, self.body
        text = f"{self.method} {target}{head.text}"
        if self.cookie:
            text += f"Cookie: {self.cookie}\r\n"
        if head.chunked:
            return (text + "\r\n").encode("latin-1")
        if body.parts is not None:
            if not head.has_length:
                text += (
                    "Transfer-Encoding: chunked\r\n" if body.length is None else f"Content-Length: {body.length}\r\n"
                )
            return (text + "\r\n").encode("latin-1")
        if (body.data or self.method in _BODY_METHODS) and not head.has_length:
            text += f"Content-Length: {len(body.data)}\r\n"
        if head.expects_continue:
            return (text + "\r\n").encode("latin-1")
        return (text + "\r\n").encode("latin-1") + body.data

    def parts(self) -> Iterable[bytes] | None:
        """What follows :meth:`encoded`; None: nothing."""
        head, body = self.head, self.body
        parts = body.parts
        if parts is None:
            if not head.chunked and not head.expects_continue:
                return None
            parts = (body.data,) if body.data else ()
        if head.chunked or (body.parts is not None and body.length is None and not head.has_length):
            return chunked(parts)
        return parts

    @property
    def replayable(self) -> bool:
        """It can be sent a second time: no part of its body is read while it is sent."""
        return self.body.parts is None

    def as_request(self) -> Request:
        """As a scenario sees it."""
        headers = self.head.fields.copy()
        if self.body.data and not self.head.has_length:
            headers["content-length"] = str(len(self.body.data))
        if self.cookie:
            headers["Cookie"] = self.cookie
        return Request(self.url, method=self.method, headers=headers, payload=self.body.payload, params=self.params)
