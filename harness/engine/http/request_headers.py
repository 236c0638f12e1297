"""The head of a request: its fields merged as Locust merges them, checked, and encoded once for all that are alike.

Most requests of a user class send the same fields to the same origin. So their text is kept by what it is made of, and
a request costs one look-up instead of a walk over its fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from geventhttpclient.header import Headers

from harness.engine.http.origin import Origin

USER_AGENT = f"harness/{version('harness')}"
_KEPT = 4096
"""Different heads kept in one process; with more (a token for every user, say) the oldest go."""
is_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_is_value = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch

FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"

HeaderFields = Mapping[str, Any] | None
"""Fields of one request, as a scenario gives them; a list has a line for each of its values."""


class RequestHeaders:
    """All of a head behind the request target, but for cookies and the body's length."""

    __slots__ = ("chunked", "closes_connection", "expects_continue", "fields", "has_cookie", "has_length", "text")

    def __init__(self, origin: Origin, fields: Headers) -> None:
        """Raises ``ValueError`` where a field cannot be sent."""
        self.fields = fields
        self.has_cookie = "cookie" in fields
        self.chunked = "chunked" in _joined(fields, "transfer-encoding")
        if self.chunked:
            fields.discard("content-length")
        self.has_length = "content-length" in fields
        self.expects_continue = "100-continue" in _joined(fields, "expect")
        self.closes_connection = "close" in _joined(fields, "connection")
        lines = [] if "host" in fields else [f"Host: {origin.authority}"]
        for name, value in fields.items():
            text = value if isinstance(value, str) else str(value)
            if not isinstance(name, str) or not is_token(name):
                raise ValueError(f"{name!r} is no name of a header field")
            if not _is_value(text):
                raise ValueError(f"header field {name} cannot have the value {text!r}")
            lines.append(f"{name}: {text}")
        self.text = " HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n"


def _joined(fields: Headers, name: str) -> str:
    return ",".join(map(str, fields.getlist(name))).lower()


class RequestHeaderCache:
    """The heads of all requests that have origin, default fields and the base URL's credentials in common."""

    __slots__ = ("_authorization", "_defaults", "_kept", "_origin", "default")

    _all: dict[tuple[Any, ...], RequestHeaderCache] = {}  # noqa: RUF012  (shared by all sessions)

    def __init__(self, origin: Origin, defaults: Headers, authorization: str | None) -> None:
        self._origin = origin
        self._defaults = defaults.copy()
        self._authorization = authorization
        self._kept: dict[tuple[Any, ...], RequestHeaders] = {}
        self.default = self._make(None, None, None)
        """Of a request that brings no fields and no body."""

    @classmethod
    def for_session(cls, origin: Origin, defaults: Headers, authorization: str | None) -> RequestHeaderCache:
        """Those of a session; sessions that are alike share them."""
        key = origin, tuple(defaults.items()), tuple(map(str, defaults.values())), authorization
        header_cache = cls._all.get(key)
        if header_cache is None:
            if len(cls._all) >= _KEPT:
                cls._all.pop(next(iter(cls._all)))
            header_cache = cls._all[key] = cls(origin, defaults, authorization)
        return header_cache

    def for_request(self, given: HeaderFields, authorization: str | None, content_type: str | None) -> RequestHeaders:
        """``authorization`` and ``content_type`` are those that the call's ``auth=`` and body bring."""
        # With their texts: 1, True and 1.0 are equal, but not sent alike.
        fields = (*given.items(), *map(str, given.values())) if given else ()
        key = (content_type, authorization, *fields)
        try:
            head = self._kept.get(key)
        except TypeError:  # a list among the values
            return self._make(given, authorization, content_type)
        if head is None:
            head = self._make(given, authorization, content_type)
            if len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = head
        return head

    def _make(self, given: HeaderFields, authorization: str | None, content_type: str | None) -> RequestHeaders:
        """As Locust's FastHttpSession and geventhttpclient merge them: the later wins, whatever its case."""
        fields = self._defaults.copy()
        fields.update(given or {})
        names = {name.lower() for name in given or ()}
        if authorization or self._authorization:
            fields["Authorization"] = authorization or self._authorization or ""
        if "accept-encoding" not in names:
            fields["Accept-Encoding"] = "gzip, deflate, br"
        if content_type == JSON:
            if "content-type" not in names:
                fields["Content-Type"] = JSON
            if "accept" not in names:
                fields["Accept"] = JSON
        elif content_type is not None and (content_type.startswith("multipart/") or "content-type" not in fields):
            fields["Content-Type"] = content_type
        return RequestHeaders(self._origin, fields)
